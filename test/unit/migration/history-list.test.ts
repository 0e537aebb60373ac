import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference } from '../../../src/migration/difference.ts';
import {
  appendLines,
  mendHistory,
  parseHistory,
  targetNames,
} from '../../../src/migration/history-list.ts';
import {
  fileOf,
  mergeLists,
  nameAndVersionOf,
  packageLine,
  urlOf,
} from '../../../src/migration/package-list.ts';

const line = (name: string, version = '1.0', release = '1.el9'): string =>
  `https://m.test/x/Packages/${name}-${version}-${release}.src.rpm ${name} ${version}`;

const FOO = line('foo');
const BAR = line('bar');

/** What a kill and the original's appending make of a history with foo and bar. */
const DAMAGED: readonly (readonly [
  what: string,
  text: string,
  files: readonly string[],
  halves: readonly string[],
])[] = [
  ['a whole one', `${FOO}\n${BAR}\n`, ['foo', 'bar'], []],
  ['no newline at the end', `${FOO}\n${BAR}`, ['foo', 'bar'], []],
  ['half a line with the whole address', `${FOO}\n${urlOf(BAR)} ba`, ['foo', 'bar'], []],
  ['half an address', `${FOO}\n${BAR.slice(0, 35)}`, ['foo'], [BAR.slice(0, 35)]],
  [
    'half a line that goes on with another',
    `${BAR.slice(0, 30)}${FOO}\n`,
    ['foo'],
    [BAR.slice(0, 30)],
  ],
  ['a whole line that goes on with another', `${BAR}${FOO}\n`, ['foo', 'bar'], []],
  ['zeros of a power cut', `${FOO}\n\0\0\0\0`, ['foo'], []],
  ['carriage returns and empty lines', `${FOO}\r\n\r\n\n${BAR}\r\n`, ['foo', 'bar'], []],
  ['nothing', '', [], []],
];

for (const [what, text, files, halves] of DAMAGED) {
  test(`parseHistory() reads ${what}`, () => {
    const history = parseHistory(text);
    assert.deepEqual(
      [...history.files].sort(),
      files.map((name) => `${name}-1.0-1.el9.src.rpm`).sort(),
    );
    assert.deepEqual(
      history.fragments.map((fragment) => fragment.text),
      halves,
    );
  });
}

test('half a line stands for the package that begins like it, and the line is mended', () => {
  const text = `${FOO}\n${BAR.slice(0, 35)}`;
  const history = parseHistory(text);
  const found = difference([FOO, BAR, line('new')], history, new Set());
  assert.deepEqual(found.fresh, [line('new')]);
  assert.deepEqual(
    found.mended.map(([, whole]) => whole),
    [BAR],
  );
  assert.equal(found.known, 2);
  const mended = mendHistory(text, new Map(found.mended));
  assert.equal(mended, `${FOO}\n${BAR}`);
  assert.equal(appendLines(mended, [line('new')]), `${FOO}\n${BAR}\n${line('new')}\n`);
});

test('a record in the same line as a half one gets a line of its own', () => {
  const text = `${line('a')}\n${BAR.slice(0, 30)}${FOO}\n${line('z')}\n`;
  const history = parseHistory(text);
  const found = difference([BAR], history, new Set());
  assert.equal(
    mendHistory(text, new Map(found.mended)),
    `${line('a')}\n${BAR}\n${FOO}\n${line('z')}\n`,
  );
  const [fragment] = history.fragments;
  assert.ok(fragment);
  assert.equal(
    mendHistory(text, new Map([[fragment, undefined]])),
    `${line('a')}\n${FOO}\n${line('z')}\n`,
  );
});

test('half a line that may be several packages makes none of them new', () => {
  const several = [line('foo', '1.0'), line('foo', '1.1')];
  const history = parseHistory(urlOf(FOO).slice(0, -20));
  const found = difference([...several, BAR], history, new Set());
  assert.deepEqual(found.fresh, [BAR]);
  assert.deepEqual(found.mended, []);
  assert.deepEqual(
    found.ambiguous.map(([, lines]) => lines),
    [several],
  );
});

test('a history line is about a file, wherever it was; a new release is new', () => {
  const history = parseHistory(`${FOO.replace('m.test/x', 'old-mirror.test')}\n`);
  const fresh = [line('foo', '1.0', '2.el9'), line('libfoo'), line('foo', '1.0.1')];
  assert.deepEqual(difference([FOO, ...fresh], history, new Set()).fresh, fresh);
});

test('the target is compared by name and version together, and by nothing else', () => {
  const target = targetNames([
    `${line('libfoo', '1.2')}\n${line('foo', '1.2.5')}\n`,
    line('bar', 'v1'),
  ]);
  const lines = [
    line('foo', '1.2'),
    line('libfoo', '1.2', '9'),
    line('bar', 'v1'),
    line('bar', '1'),
  ];
  assert.deepEqual(difference(lines, parseHistory(''), target).fresh, [lines[0], lines[3]]);
});

test('a file that several repositories have is listed once, by the first of them', () => {
  const other = FOO.replace('m.test', 'other.test');
  assert.deepEqual(mergeLists([`${FOO}\n${BAR}\n`, `${other}\n${line('z')}\n`]), [
    FOO,
    BAR,
    line('z'),
  ]);
});

const ROOT = 'http://m.test/src';
const HREFS = [
  ['Packages/c/c++-1-1.src.rpm', `${ROOT}/Packages/c/c++-1-1.src.rpm`],
  ['./c-1~rc1^git-1.nosrc.rpm', `${ROOT}/c-1~rc1^git-1.nosrc.rpm`],
  ['//a//b-1-1.src.rpm', `${ROOT}/a/b-1-1.src.rpm`],
  ['../a-1-1.src.rpm', undefined],
  ['a/../../b-1-1.src.rpm', undefined],
  ['a b-1-1.src.rpm', undefined],
  ['a\tb-1-1.src.rpm', undefined],
  ['a;b-1-1.src.rpm', undefined],
  ['a-1-1.x86_64.rpm', undefined],
  ['http://other/a-1-1.src.rpm', undefined],
  ['caf\u00e9-1-1.src.rpm', undefined],
  [`${'a'.repeat(700)}-1-1.src.rpm`, undefined],
  ['', undefined],
] as const;

test('only addresses below the repository, of harmless characters, get into a list', () => {
  for (const [href, url] of HREFS) {
    const made = packageLine({ name: 'a', version: '1', href, base: undefined }, ROOT);
    assert.equal('line' in made ? made.line : undefined, url && `${url} a 1`, href);
  }
});

test('the parts of a line', () => {
  assert.equal(fileOf(FOO), 'foo-1.0-1.el9.src.rpm');
  assert.equal(fileOf(urlOf(FOO)), 'foo-1.0-1.el9.src.rpm');
  assert.equal(nameAndVersionOf(FOO), 'foo 1.0');
});
