import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { Failed } from '../../../src/events/failure.ts';
import { selectEnvironmentFiles } from '../../../src/run-parts/environment-files.ts';
import { extendedRegex } from '../../../src/run-parts/extended-regex.ts';
import { compareHooks, type DirEntry, selectHooks } from '../../../src/run-parts/select.ts';

function files(...names: string[]): DirEntry[] {
  return names.map((name) => ({ name, isFile: true, executable: true }));
}

function sortNumerically(lines: readonly string[]): string[] {
  const { stdout } = spawnSync('sort', ['-n'], {
    input: lines.map((line) => `${line}\n`).join(''),
    env: { ...process.env, LC_ALL: 'C' },
    encoding: 'utf8',
  });
  return stdout.split('\n').slice(0, -1);
}

/** Always the same numbers, so that a failure can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('selectHooks()', () => {
  it('orders as upstream was seen to order', () => {
    const observed =
      '-3-neg 0-zero 00-zero Zed _z abc 1e3-x 05-five 5-five 007 9_a 010-ten 10-ten 20-t 30-link 100-h';
    const names = observed.split(' ');
    assert.deepEqual(selectHooks(files(...names.toReversed())).run, names);
  });

  const orders: readonly [string, string][] = [
    ['foo', '01-x'],
    ['-5-x', 'foo'],
    ['-10', '-9'],
    ['010-z', '10-a'],
    ['99999999999999999998', '99999999999999999999'],
    ['0x20', '1'],
    ['-', '1'],
    ['--5', '0'],
    ['-0-x', '0-x'],
  ];
  for (const [first, second] of orders) {
    it(`runs ${first} before ${second}`, () => {
      assert.deepEqual(selectHooks(files(second, first)).run, [first, second]);
      assert.deepEqual(sortNumerically([second, first]), [first, second]);
    });
  }

  it('orders any names as sort -n does', () => {
    const random = generator(20_260_820);
    const alphabet = ['-', '0', '0', '1', '2', '9', '.', 'a', 'Z', '_', 'e', ' ', 'é'];
    const names = Array.from({ length: 3000 }, () =>
      Array.from({ length: 1 + random(7) }, () => alphabet[random(alphabet.length)]).join(''),
    );
    assert.deepEqual([...names].sort(compareHooks), sortNumerically(names));
  });

  it('passes over other names, files without the mode, and what is no file, and says which', () => {
    const entries = [
      ...files('10-run', '10-foo.sh', '10-foo~', 'ünnumbered', '.hidden'),
      { name: '20-mode', isFile: true, executable: false },
      { name: '20-mode.sh', isFile: true, executable: false },
      { name: '30-dir', isFile: false, executable: true },
    ];
    assert.deepEqual(selectHooks(entries), {
      run: ['10-run'],
      ignored: [
        { name: '.hidden', reason: 'name' },
        { name: '10-foo.sh', reason: 'name' },
        { name: '10-foo~', reason: 'name' },
        { name: '20-mode', reason: 'not-executable' },
        { name: '20-mode.sh', reason: 'not-executable' },
        { name: 'ünnumbered', reason: 'name' },
      ],
    });
  });

  it('takes another pattern, anchored or not, and the default for an empty one', () => {
    assert.deepEqual(selectHooks(files('a.sh', 'b', 'c.shx'), '\\.sh$').run, ['a.sh']);
    assert.deepEqual(selectHooks(files('a.sh', 'b', 'c.shx'), 'sh').run, ['a.sh', 'c.shx']);
    assert.deepEqual(selectHooks(files('a.sh', 'b'), '').run, ['b']);
  });

  it('refuses a pattern that is no regular expression', () => {
    assert.throws(
      () => selectHooks([], '('),
      (error) => error instanceof Failed && error.failure.kind === 'config',
    );
  });
});

describe('extendedRegex()', () => {
  const names = [
    ...['10-a', 'a.sh', 'a\\b', 'a]b', 'a-b', 'a^b', 'Ab', '_', 'a b', 'a/b', 'aa', '[', '(a)'],
    ...['x:y', 'word-x', 'sword', '1.5', 'a~', '{2}', 'a{2}'],
  ];
  const patterns = [
    ...['^[0-9A-Za-z_-]+$', '^[0-9A-Za-z_\\.-]+$', '[]]', '[^]a]', '[a^]', '[\\]', '[[:alpha:]]'],
    ...['^[[:digit:][:punct:]]+', '[^[:alnum:]_]', '\\.', 'a{2}', '(a|x)[:~b]', '^a?$', '\\<word'],
    ...['word\\>', '[[]', '^.-', '[a-c]b$', '^[[:lower:]_-]+$', '[-a]b', '[a-]b'],
  ];
  for (const pattern of patterns) {
    it(`${pattern} matches what grep -E matches`, () => {
      const { stdout } = spawnSync('grep', ['-E', '-e', pattern], {
        input: names.map((name) => `${name}\n`).join(''),
        env: { ...process.env, LC_ALL: 'C' },
        encoding: 'utf8',
      });
      const expected = stdout.split('\n').slice(0, -1);
      assert.deepEqual(
        names.filter((name) => extendedRegex(pattern).test(name)),
        expected,
      );
    });
  }
});

describe('selectEnvironmentFiles()', () => {
  it('orders by bytes, dots allowed, mode of no matter', () => {
    const entries = [
      ...files('5-x', '20-t', '100-h', '10-a.bash', '05-x', 'no~', 'b\\c', 'ä'),
      { name: '06-y', isFile: true, executable: false },
      { name: '07-dir', isFile: false, executable: true },
    ];
    const selected = ['05-x', '06-y', '10-a.bash', '100-h', '20-t', '5-x', 'b\\c'];
    assert.deepEqual(selectEnvironmentFiles(entries), selected);
  });
});
