import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../../src/events/failure.ts';
import { type ImageJob, readImageFiles } from '../../../src/plan/image-file.ts';

const read = (...texts: string[]): readonly ImageJob[] =>
  readImageFiles(texts.map((text, index) => ({ file: `${index + 1}.yaml`, text })));

const argv = (text: string): string => read(text)[0]?.argv.join(' ') ?? '';

function refusal(...texts: string[]): string {
  try {
    read(...texts);
  } catch (error) {
    const failure = failureOf(error);
    assert.equal(failure.kind, 'config');
    const at = 'at' in failure ? failure.at : undefined;
    return `${at?.file}:${at?.line ?? ''}: ${failure.message}`;
  }
  assert.fail('it was accepted');
}

test('every property has its place on the command line', () => {
  const text = `
- elements: [vm, my element]
  packages: [a, b]
  skip-base: true
  docker-target: r:t
  install-type: package
  ramdisk-element: ramdisk
  root-label: "1234"
  qemu-img-options: {compat: 0.10, lazy: on}
  offline: yes
  no-tmpfs: On
  mkfs-options: -O ^metadata_csum
  mkfs-journal-size: 8
  min-tmpfs: 3
  max-online-resize: 4000
  image-cache: /c
  image-extra-size: 5
  image-size: 1.5
  checksum: true
  logfile: l
  clear: true
  uncompressed: true
  debug-trace: 2
  types: [qcow2, tar]
  arch: arm64
  imagename: x/y
  environment: {B: 1, A: two words}
`;
  assert.deepEqual(read(text)[0]?.argv, [
    ...['-o', 'x/y', '-a', 'arm64', '-t', 'qcow2,tar', '-x', '-x', '-u', '-c', '--logfile', 'l'],
    ...['--checksum', '--image-size', '1.5', '--image-extra-size', '5', '--image-cache', '/c'],
    ...['--max-online-resize', '4000', '--min-tmpfs', '3', '--mkfs-journal-size', '8'],
    ...['--mkfs-options', '-O ^metadata_csum', '--no-tmpfs', '--offline'],
    ...['--qemu-img-options', 'compat=0.10,lazy=on', '--root-label', '1234'],
    ...['--ramdisk-element', 'ramdisk', '--install-type', 'package', '--docker-target', 'r:t'],
    ...['-p', 'a,b', '-n', 'vm', 'my element'],
  ]);
  assert.deepEqual(read(text)[0]?.environment, { B: '1', A: 'two words' });
});

test('what is empty, false or 0 is no argument', () => {
  const text = '- {logfile: "", packages: [], offline: false, debug-trace: 0, elements: [vm]}';
  assert.equal(argv(text), 'vm');
});

test('entries of one name are one image, over several files', () => {
  const images = read(
    `
- imagename: a
  types: [raw]
  elements: [vm]
  environment: {X: 1, Y: 1}
  offline: true
- elements: [one]
- imagename: b
  ramdisk: true
  elements: [two]
`,
    `
- elements: [three]
- imagename: a
  types: [tar]
  environment: {Y: 2}
  offline: false
`,
  );
  assert.deepEqual(
    images.map(({ name, command, argv: words }) => `${name} ${command} ${words.join(' ')}`),
    ['a disk-image-create -o a -t raw,tar vm one', 'b ramdisk-image-create -o b two three'],
  );
  assert.deepEqual(images[0]?.environment, { X: '1', Y: '2' });
});

test('an image that nobody named has the default name and no -o', () => {
  const [image] = read('- elements: [vm]');
  assert.deepEqual([image?.name, image?.argv], ['image', ['vm']]);
});

test('lists that images share by an anchor do not grow together', () => {
  const images = read(`
- {imagename: a, elements: &all [vm]}
- {imagename: b, elements: *all}
- {imagename: a, elements: [more]}
`);
  assert.deepEqual(
    images.map((image) => image.argv.slice(2).join(' ')),
    ['vm more', 'vm'],
  );
});

const REFUSALS: readonly (readonly [string, RegExp])[] = [
  ['', /^1\.yaml:: There is no image in this file/],
  ['[]', /^1\.yaml:1: There is no image in this file/],
  ['imagename: a', /^1\.yaml:1: An image file must be a list of images/],
  ['- vm', /^1\.yaml:1: An image must be a map of properties/],
  ['- elemnts: [vm]', /^1\.yaml:1: Unknown property 'elemnts': did you mean 'elements'\?/],
  ['- imagename: a\n  elements: vm', /^1\.yaml:2: Property 'elements' must be a list/],
  ['- elements: [[vm]]', /must be a list of texts, not of lists/],
  ['- types: [qcow3]', /Property 'types' does not know 'qcow3': one of tar, /],
  ['- arch: vax', /Property 'arch' does not know 'vax': one of aarch64, /],
  ['- install-type: x', /one of source, package/],
  ['- image-size: 0', /must be a number above 0: '0'/],
  ['- image-size: big', /must be a number above 0: 'big'/],
  ['- min-tmpfs: 1.5', /must be a whole number above 0: '1\.5'/],
  ['- debug-trace: 3', /must be a whole number from 0 to 2: '3'/],
  ['- offline: maybe', /must be true or false: 'maybe'/],
  ['- offline:', /must be true or false, and has no value/],
  ['- environment: [A]', /Property 'environment' must be a map/],
  ['- environment: {A: [b]}', /'A' in 'environment' must be a text, not a list/],
  ['- environment: {"A B": c}', /'A B' in 'environment' is no name of a variable/],
  ['- imagename: [a]', /Property 'imagename' must be a text, not a list/],
  ['- elements: [vm', /Cannot parse YAML/],
  ['- elements: [vm\n- a: 1', /^1\.yaml:\d: Cannot parse YAML/],
  ['- a\n---\n- b', /^1\.yaml:2: Cannot parse YAML: there is more than one document in it$/],
  ['[', /^1\.yaml:1: Cannot parse YAML/],
  ['['.repeat(100_000), /^1\.yaml:1: Cannot parse YAML: lists and maps are nested too deeply/],
  ['- {imagename: a}\n- imagename: ./a', /Images 'a' and '\.\/a' would be written to the same/],
  ['- {imagename: x/../a}\n- {imagename: a}', /Images 'x\/\.\.\/a' and 'a' would be/],
  ['- {imagename: a, imagename: b}', /Cannot parse YAML: Map keys must be unique/],
  ['- &a {imagename: x, elements: [*a]}', /Alias "\*a" contains itself/],
  ['- elements: *none', /Alias "\*none" has no anchor/],
  ['- ? [a]\n  : b', /A key must be a plain word/],
  ['- a: 1\n- b: 2', /Unknown property 'a'\n {2}1\.yaml:2:3: Unknown property 'b'/],
];

for (const [text, message] of REFUSALS) {
  test(`refused: ${JSON.stringify(text)}`, () => assert.match(refusal(text), message));
}

test('a file that expands without end is refused, soon', () => {
  const bomb = ['- &a [x, x, x, x, x, x, x, x, x, x]']
    .concat(
      [...'bcdefghi'].map((name, index) => {
        const before = `*${'abcdefgh'[index]}`;
        return `- &${name} [${Array(10).fill(before).join(', ')}]`;
      }),
    )
    .join('\n');
  assert.match(refusal(bomb), /expands to more than \d+ values/);
});
