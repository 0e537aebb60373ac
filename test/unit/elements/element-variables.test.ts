import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { parse } from 'yaml';
import {
  elementShellText,
  elementsPathForHooks,
  elementVariables,
} from '../../../src/elements/element-variables.ts';

const PLAIN = [
  { name: 'os', path: '/e/os' },
  { name: 'base', path: '/e/base' },
];

const ODD = [
  { name: 'yes', path: "/e/it's  two spaces/$(id)/*" },
  { name: '12', path: '/e/quote"back\\slash: #x' },
];

/** What an element does with the function. */
const READ_ARRAY =
  'eval declare -A e="($(get_image_element_array))"; for n in "${!e[@]}"; do echo "$n=${e[$n]}"; done';

function bash(script: string, env: Record<string, string> = {}): string {
  return execFileSync('bash', ['-euc', script], {
    env: { PATH: '/usr/bin:/bin', ...env },
    encoding: 'utf8',
    // With a socket for input, bash believes that rshd started it and reads ~/.bashrc.
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

test('elementVariables() lists the elements in order, and the map sorted', () => {
  const variables = elementVariables(PLAIN);
  assert.equal(variables.IMAGE_ELEMENT, 'os base');
  assert.equal(variables.IMAGE_ELEMENT_YAML, 'base: /e/base\nos: /e/os\n');
});

test('elementVariables() writes YAML that reads back, whatever the names are', () => {
  assert.deepEqual(
    parse(elementVariables(ODD).IMAGE_ELEMENT_YAML ?? '', { version: '1.1' }),
    Object.fromEntries(ODD.map(({ name, path }) => [name, path])),
  );
});

test('elementVariables() gives bash the function get_image_element_array', () => {
  assert.equal(
    bash('get_image_element_array', elementVariables(PLAIN)),
    '[os]=/e/os [base]=/e/base \n',
  );
});

for (const [what, elements] of [
  ['plain', PLAIN],
  ['odd', ODD],
] as const) {
  const expected = elements.map(({ name, path }) => `${name}=${path}`).sort();
  test(`get_image_element_array can be evaluated with ${what} names, from the environment`, () => {
    const lines = bash(READ_ARRAY, elementVariables(elements)).trimEnd().split('\n');
    assert.deepEqual(lines.sort(), expected);
  });

  test(`elementShellText() defines and exports the same with ${what} names`, () => {
    // The second bash has only what the text exports.
    const script = `${elementShellText(elements)}\nexec bash -euc '${READ_ARRAY}; echo "$IMAGE_ELEMENT"; echo "$IMAGE_ELEMENT_YAML"'`;
    const { IMAGE_ELEMENT, IMAGE_ELEMENT_YAML } = elementVariables(elements);
    const printed = bash(script);
    assert.ok(printed.endsWith(`\n${IMAGE_ELEMENT}\n${IMAGE_ELEMENT_YAML}\n`), printed);
    assert.deepEqual(printed.split('\n').slice(0, elements.length).sort(), expected);
  });
}

test('elementsPathForHooks() leaves out built-in elements that the image has none of', () => {
  const elements = [{ name: 'os', path: '/e/os' }];
  assert.deepEqual(elementsPathForHooks(['/e', '/built-in'], elements), ['/e']);
  assert.deepEqual(elementsPathForHooks(['/mine', '/e'], elements), ['/mine', '/e']);
});
