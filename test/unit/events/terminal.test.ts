import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeTerminal } from '../../../src/events/terminal.ts';

test('describeTerminal() honours NO_COLOR, TERM and the locale', () => {
  const cases = [
    [true, { TERM: 'xterm', LANG: 'C.UTF-8' }, [true, true, true]],
    [true, { TERM: 'xterm', NO_COLOR: '1' }, [true, false, false]],
    [true, { TERM: 'xterm', NO_COLOR: '' }, [true, true, false]],
    [true, { TERM: 'dumb' }, [false, false, false]],
    [true, {}, [false, false, false]],
    [false, { TERM: 'xterm', LC_ALL: 'en_US.utf8' }, [false, false, true]],
    [true, { TERM: 'xterm', LC_ALL: 'C', LANG: 'C.UTF-8' }, [true, true, false]],
  ] as const;
  for (const [isTty, environment, [live, color, unicode]] of cases) {
    assert.deepEqual(
      describeTerminal(isTty, environment),
      { live, color, unicode },
      JSON.stringify(environment),
    );
  }
});
