import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shellVariables } from '../../../src/elements/shell-variables.ts';

const ROWS: readonly (readonly [script: string, found: readonly string[]])[] = [
  ['export DIB_A=${DIB_A:-x y}', ['DIB_A=x y']],
  [
    'echo "${DIB_A:-}" ${DIB_B-b} ${DIB_C:=c} ${DIB_D=}',
    ['DIB_A=', 'DIB_B=b', 'DIB_C=c', 'DIB_D='],
  ],
  ['A=${DIB_A:-"quoted text"}', ['DIB_A=quoted text']],
  ['A=${DIB_A:-${DIB_B:-{x}}}', ['DIB_A=${DIB_B:-{x}}', 'DIB_B={x}']],
  ['A=${DIB_A:-a\\}b}', ['DIB_A=a\\}b']],
  ['  # ${DIB_A:-x}\nif [ "${DIB_DEBUG_TRACE:-0}" -gt 0 ]; then set -x; fi', []],
  ['${YUM:-dnf} ${ARCH:-} ${lower:-x} ${PATH} ${DIB_X}', ['YUM=dnf']],
  ['A=${DIB_A:-never closed\nnext', ['DIB_A=never closed']],
];

for (const [script, found] of ROWS) {
  test(`shellVariables(${JSON.stringify(script)})`, () => {
    assert.deepEqual(
      shellVariables(script).map(({ name, fallback }) => `${name}=${fallback}`),
      found,
    );
  });
}
