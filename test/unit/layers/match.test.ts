import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeChange,
  missReasons,
  reasonsOf,
  renderExplained,
} from '../../../src/layers/explain.ts';
import { changesSince, type PhaseInputs, usedInputs } from '../../../src/layers/match.ts';
import { isKey, keyOf, type LayerRecord, slotOf } from '../../../src/layers/record.ts';

const HOUR = 3_600_000;
const CREATED = '2026-01-01T00:00:00.000Z';
const SOON = { nowMs: Date.parse(CREATED) + HOUR, maxAgeMs: 24 * HOUR };

const TEXTS: Readonly<Record<string, string>> = {
  'install.d/10-a': 'echo "$DIBKIT_PACKAGES"',
  'install.d/20-b': 'true',
  'static/file': 'data',
};

function inputs(change: Partial<PhaseInputs> = {}): PhaseInputs {
  return {
    environment: { LANG: 'C', DIBKIT_PACKAGES: 'curl', DIB_ARGS: 'vm', TMP_BUILD_DIR: '/tmp/a' },
    directories: {},
    runPaths: new Map([['/tmp/a', '{build}']]),
    hooks: ['10-a', '20-b'],
    names: ['static', 'static/file'],
    files: new Map(Object.entries(TEXTS)),
    folders: new Map([['finalise.d', 'x']]),
    elementFiles: { 'e/pkg-map': '1' },
    external: { 'http://mirror/InRelease': 'one' },
    engine: {},
    textOf: (name) => TEXTS[name],
    ...change,
  };
}

function record(change: Partial<LayerRecord> = {}, read = ['install.d/10-a']): LayerRecord {
  const used = { hooks: ['10-a'], read, own: read, listed: [] };
  return {
    format: 1,
    key: 'k',
    parent: '',
    phase: 'install',
    boot: 'b',
    created: CREATED,
    durationMs: 1,
    inputs: usedInputs(inputs(), used),
    read,
    binds: [],
    hooksWritten: [],
    hooksRemoved: [],
    undeclaredNetwork: false,
    sizeBytes: 0,
    entries: 0,
    listing: '',
    image: 'image',
    ...change,
  };
}

function changes(now: Partial<PhaseInputs>, recorded = record()): readonly string[] {
  return changesSince(recorded, inputs(now), SOON).map(describeChange);
}

test('changesSince() is empty while all that was used is the same', () => {
  assert.deepEqual(changes({}), []);
});

test('changesSince() passes over what the phase has not used', () => {
  const { environment } = inputs();
  assert.deepEqual(changes({ environment: { ...environment, DIB_ARGS: 'other' } }), []);
  assert.deepEqual(changes({ environment: { ...environment, GITHUB_SHA: 'new' } }), []);
  assert.deepEqual(changes({ environment: { ...environment, TMP_BUILD_DIR: '/tmp/b' } }), []);
  assert.deepEqual(changes({ files: new Map([...inputs().files, ['static/file', 'new']]) }), []);
  assert.deepEqual(changes({ hooks: ['10-a', '30-c'] }), []);
  assert.deepEqual(changes({ folders: new Map([['finalise.d', 'y']]) }), []);
  assert.deepEqual(changes({ elementFiles: { 'e/pkg-map': '2' } }), []);
});

const MISSES: readonly (readonly [string, Partial<PhaseInputs>])[] = [
  [
    'the variable LANG, or what it names, changed',
    { environment: { ...inputs().environment, LANG: 'de' } },
  ],
  ['the variable FOO is new', { environment: { ...inputs().environment, FOO: '1' } }],
  [
    'the variable DIBKIT_PACKAGES, or what it names, changed',
    { environment: { ...inputs().environment, DIBKIT_PACKAGES: 'vim' } },
  ],
  ['the hook 05-early is new', { hooks: ['05-early', '10-a', '20-b'] }],
  [
    'the file install.d/10-a changed',
    { files: new Map([...inputs().files, ['install.d/10-a', 'new']]) },
  ],
  ['the file static/more is new', { names: ['static', 'static/file', 'static/more'] }],
  ['http://mirror/InRelease changed', { external: { 'http://mirror/InRelease': 'two' } }],
  ['the fstab of the disk is new', { engine: { 'fstab of the disk': 'x' } }],
];
for (const [reason, now] of MISSES) {
  test(`changesSince() finds that ${reason}`, () => {
    assert.ok(changes(now).includes(reason), changes(now).join(', '));
  });
}

const HOMES: readonly (readonly [file: string, text: string, changed: readonly string[]])[] = [
  ['root.d/10-a', 'echo "$DIBKIT_PACKAGES"', []],
  ['root.d/10-a', 'cat ~/.netrc', ['the variable HOME, or what it names, changed']],
  ['root.d/10-a', 'echo "$SHELL"', ['the variable SHELL, or what it names, changed']],
  ['host-bin/sudo', 'export HOME; exec "$SHELL" "$@"', []],
];
for (const [file, text, expected] of HOMES) {
  test(`changesSince() of another user's HOME and SHELL, with '${text}' in ${file}`, () => {
    const textOf = (): string => text;
    const of = (user: string): PhaseInputs =>
      inputs({ textOf, environment: { HOME: `/home/${user}`, SHELL: `/bin/${user}` } });
    const used = { hooks: ['10-a'], read: [file], own: [file], listed: [] };
    const made = record({ inputs: usedInputs(of('one'), used) }, [file]);
    assert.deepEqual(changesSince(made, of('two'), SOON).map(describeChange), expected);
  });
}

test('changesSince() lets DIB_OFFLINE take what an online build has made, and never the reverse', () => {
  assert.deepEqual(changes({ external: { 'http://mirror/InRelease': 'offline' } }), []);
  const used = { hooks: ['10-a'], read: [], own: [], listed: [] };
  const offline = inputs({ external: { 'http://mirror/InRelease': 'offline' } });
  const made = record({ inputs: usedInputs(offline, used) }, []);
  assert.deepEqual(changes({}, made), ['http://mirror/InRelease changed']);
});

test('changesSince() counts element files only where hooks go through the elements', () => {
  const textOf = (): string => 'cat $IMAGE_ELEMENT_YAML';
  const made = record({
    inputs: usedInputs(inputs({ textOf }), {
      hooks: ['10-a'],
      read: ['install.d/10-a'],
      own: ['install.d/10-a'],
      listed: [],
    }),
  });
  assert.deepEqual(changes({ textOf, elementFiles: { 'e/pkg-map': '2' } }, made), [
    'the element file e/pkg-map changed',
  ]);
});

test('changesSince() lets a layer that took undeclared things from the network grow old', () => {
  const late = { ...SOON, nowMs: SOON.nowMs + 24 * HOUR };
  assert.deepEqual(changesSince(record(), inputs(), late), []);
  const [change] = changesSince(record({ undeclaredNetwork: true }), inputs(), late);
  assert.equal(change?.kind, 'age');
});

test('keyOf() follows from what went in, and slotOf() from where the layer belongs', () => {
  const parts = { version: '1', arch: 'amd64', parent: '', phase: 'root' };
  const slot = slotOf(parts);
  assert.notEqual(slot, slotOf({ ...parts, parent: 'k' }));
  assert.notEqual(slot, slotOf({ ...parts, phase: 'install' }));
  assert.notEqual(slot, slotOf({ ...parts, owners: 'mapped' }));
  const key = keyOf(slot, record().inputs);
  assert.ok(isKey(key) && isKey(`${key}.1`) && !isKey('.builds'));
  assert.equal(key, keyOf(slot, record().inputs));
  assert.notEqual(key, keyOf(slot, { ...record().inputs, hooks: [] }));
});

test('reasonsOf() names the first few and counts the rest', () => {
  const many = Array.from({ length: 7 }, (_, index) => ({
    kind: 'file' as const,
    what: `f${index}`,
    how: 'changed' as const,
  }));
  assert.equal(reasonsOf(many).at(-1), '2 more');
  assert.deepEqual(reasonsOf(undefined), ['there is no layer of it yet']);
});

test('missReasons() says what keeps a build from using layers before what has changed', () => {
  const plain = { broken: undefined, isNew: false, stops: false };
  assert.deepEqual(missReasons(undefined, plain), ['there is no layer of it yet']);
  assert.deepEqual(missReasons(undefined, { ...plain, stops: true }), [
    'no layer ends before the break point',
  ]);
  assert.deepEqual(missReasons([], { ...plain, stops: true, isNew: true }), reasonsOf([]));
  assert.deepEqual(missReasons(undefined, { ...plain, stops: true, isNew: true }), [
    'what comes before it is new',
  ]);
  assert.deepEqual(missReasons([], { ...plain, broken: 'a mount', isNew: true }), ['a mount']);
});

test('renderExplained() aligns phases and puts further reasons below the first', () => {
  const lines = renderExplained([
    { phase: 'root', hooks: ['a'], outcome: 'reused', key: 'k', reasons: [] },
    { phase: 'install', hooks: ['a', 'b'], outcome: 'run', reasons: ['x', 'y'] },
  ]);
  assert.deepEqual(lines, [
    'root     reused  k (1 hook)',
    'install  runs    x',
    '                 y',
  ]);
});
