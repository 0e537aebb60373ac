import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Element, type ElementLookup, parseNames } from '../../../src/elements/element.ts';
import { resolveElements } from '../../../src/elements/resolve.ts';
import { Failed, type Failure } from '../../../src/events/failure.ts';

/** `name: 'dep dep | provided provided'` */
type Table = Readonly<Record<string, string>>;

function lookupOf(table: Table, links: Readonly<Record<string, string>> = {}): ElementLookup {
  const elements = new Map<string, Element>();
  for (const [name, text] of Object.entries(table)) {
    const [deps = [], provides = []] = text
      .split('|')
      .map((part) => part.split(' ').filter(Boolean));
    elements.set(name, { name, path: `/e/${name}`, deps, provides });
  }
  for (const [link, name] of Object.entries(links)) {
    elements.set(link, { ...(elements.get(name) as Element), name: link });
  }
  return { elements, elementsPath: ['/mine', '/builtin'] };
}

const OS = { os: '| operating-system' };

function failureFrom(requested: string, table: Table): Failure {
  try {
    resolveElements(requested.split(' '), lookupOf(table));
  } catch (error) {
    assert.ok(error instanceof Failed, String(error));
    return error.failure;
  }
  throw new Error('resolved');
}

const ORDERS: readonly (readonly [
  claim: string,
  requested: string,
  table: Table,
  expected: string,
])[] = [
  ['keeps the order of the request', 'os b a', { ...OS, a: '', b: '' }, 'os b a'],
  ['puts dependencies first', 'a os', { ...OS, a: 'c b', b: '', c: '' }, 'c b a os'],
  ['follows dependencies of dependencies', 'a os', { ...OS, a: 'b', b: 'c', c: '' }, 'c b a os'],
  ['takes an element named twice once', 'a os a os', { ...OS, a: '' }, 'a os'],
  ['takes a shared dependency once', 'a b os', { ...OS, a: 'c', b: 'c', c: '' }, 'c a b os'],
  ['puts a named dependency first', 'a b os', { ...OS, a: 'b', b: '' }, 'b a os'],
  [
    'replaces a provided element by its provider',
    'a p os',
    { ...OS, a: 'x', x: '', p: '| x' },
    'p a os',
  ],
  [
    'lets a provider come in late, through a dependency',
    'a b os',
    { ...OS, a: 'virtual', b: 'c', c: 'p', p: '| virtual' },
    'p a c b os',
  ],
  [
    'orders around a loop that only providers make',
    'a os',
    { os: 'a | operating-system', a: 'operating-system' },
    'a os',
  ],
  [
    'keeps direct dependencies first in a longer loop of providers',
    'a p b',
    { a: 'v', p: 'w | v operating-system', b: 'a | w' },
    'a b p',
  ],
  [
    'takes elements that need each other, what was met last first',
    'os start',
    { ...OS, start: 'a', a: 'b d', b: 'c', c: 'a', d: 'b' },
    'os c b d a start',
  ],
  [
    'lets an element depend on itself, and what needs it wait for it',
    'a os',
    { ...OS, a: 'b', b: 'b' },
    'b a os',
  ],
  ['lets an element depend on what it provides', 'a os', { ...OS, a: 'v | v' }, 'a os'],
  ['lets an element provide its own name', 'a os', { ...OS, a: '| a' }, 'a os'],
  [
    'does not count what a replaced element provides as a clash',
    'a p os',
    { ...OS, a: 'x', x: '| v', p: '| x v' },
    'p a os',
  ],
];

for (const [claim, requested, table, expected] of ORDERS) {
  test(`resolveElements() ${claim}`, () => {
    const resolved = resolveElements(requested.split(' '), lookupOf(table));
    assert.equal(resolved.map(({ name }) => name).join(' '), expected);
  });
}

test('resolveElements() says who asked for each element', () => {
  const resolved = resolveElements(['a', 'os'], lookupOf({ ...OS, a: 'b', b: 'c', c: '' }));
  assert.deepEqual(
    resolved.map(({ name, askedBy }) => [name, askedBy]),
    [
      ['c', ['a', 'b']],
      ['b', ['a']],
      ['a', []],
      ['os', []],
    ],
  );
});

test('resolveElements() takes an element and a link to it for one element', () => {
  const lookup = lookupOf({ ...OS, real: '', a: 'real' }, { link: 'real' });
  assert.deepEqual(
    resolveElements(['link', 'a', 'os'], lookup).map(({ name }) => name),
    ['link', 'a', 'os'],
  );
});

test('resolveElements() gives the same order however the catalogue is ordered', () => {
  const table = { ...OS, a: 'b c', b: 'd', c: 'd v', d: '', p: '| v' };
  const backwards = Object.fromEntries(Object.entries(table).reverse());
  const order = (from: Table): string =>
    resolveElements(['os', 'a', 'p'], lookupOf(from))
      .map(({ name }) => name)
      .join(' ');
  assert.equal(order(table), 'os d b p c a');
  assert.equal(order(backwards), order(table));
});

const ERRORS: readonly (readonly [
  claim: string,
  requested: string,
  table: Table,
  message: string,
  hint: RegExp,
])[] = [
  [
    'an unknown element and suggests close names',
    'debain os',
    { ...OS, debian: '', dracut: '' },
    "Cannot find the element 'debain'",
    /^Did you mean 'debian'\? Elements are looked for in ELEMENTS_PATH: '\/mine:\/builtin'$/,
  ],
  [
    'an unknown element that lacks its ending',
    'debian',
    { 'debian-minimal': '| operating-system' },
    "Cannot find the element 'debian'",
    /^Did you mean 'debian-minimal'\?/,
  ],
  [
    'an unknown dependency with the way to it',
    'a os',
    { ...OS, a: 'b', b: 'nowhere' },
    "Cannot find the element 'nowhere', needed by a -> b",
    /^Elements are looked for in ELEMENTS_PATH/,
  ],
  [
    "one of upstream's that is not built in, and says where it is",
    'a os',
    { ...OS, a: 'fedora', fedor: '' },
    "Cannot find the element 'fedora', needed by a",
    /^It is one of diskimage-builder's own that are not built in\. .* ELEMENTS_PATH/,
  ],
  [
    'a missing virtual element and lists who provides it',
    'vm os',
    { ...OS, vm: 'block-device', mbr: '| block-device', gpt: '| block-device' },
    "Cannot find the element 'block-device', needed by vm",
    /^Add one of the elements that provide it: gpt, mbr\./,
  ],
  [
    'two operating systems, and who asked for each',
    'os a',
    { ...OS, a: 'b', b: '| operating-system' },
    "Cannot use 'os' and 'b' together: each provides 'operating-system'",
    /^Keep one of them: 'os' is asked for itself; 'b' is needed by a$/,
  ],
  [
    'a named element that another one provides',
    'x p os',
    { ...OS, x: '', p: '| x' },
    "Cannot use 'x' beside 'p', which provides it",
    /^Leave 'x' out, or leave out 'p', asked for itself$/,
  ],
  [
    'base beside its replacement, with the option for it',
    'base os a',
    { ...OS, base: '', a: 'p', p: '| base' },
    "Cannot use 'base' beside 'p', which provides it",
    /^Leave 'base' out with -n, or leave out 'p', needed by a$/,
  ],
  [
    'no operating system, and lists those that there are',
    'a',
    { a: '', ubuntu: '| operating-system', ...OS },
    'Cannot build an image without an operating system element',
    /^Add one of: os, ubuntu$/,
  ],
  [
    'no operating system anywhere',
    'a',
    { a: '' },
    'Cannot build an image without an operating system element',
    /^No element in ELEMENTS_PATH provides 'operating-system': '\/mine:\/builtin'$/,
  ],
];

for (const [claim, requested, table, message, hint] of ERRORS) {
  test(`resolveElements() refuses ${claim}`, () => {
    const failure = failureFrom(requested, table);
    assert.equal(failure.kind, 'config');
    assert.equal(failure.message, message);
    assert.match(failure.hint ?? '', hint);
  });
}

test('resolveElements() reports all problems together', () => {
  const { message } = failureFrom('a b os x p', {
    ...OS,
    a: 'nowhere',
    b: '| operating-system',
    x: '',
    p: '| x',
  });
  const lines = message.split('\n').filter((line) => !line.startsWith('  '));
  assert.deepEqual(lines, [
    'Cannot use these elements: 3 problems',
    "- Cannot find the element 'nowhere', needed by a",
    "- Cannot use 'b' and 'os' together: each provides 'operating-system'",
    "- Cannot use 'x' beside 'p', which provides it",
  ]);
});

test('parseNames() strips, and skips blank lines and comments', () => {
  assert.deepEqual(parseNames('b\n\n  a \r\n# why\n\t#c\nc#d'), ['b', 'a', 'c#d']);
});
