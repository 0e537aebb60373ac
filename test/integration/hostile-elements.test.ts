/** Elements that nobody would write on purpose: one clear sentence, or a build as of any other. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';

/** Lists of lists, by aliases: ten times as many at each level. */
function bomb(): string {
  const ten = (word: string): string => `[${Array(10).fill(word).join(', ')}]`;
  const names = [...'abcdefghi'];
  return names
    .map((name, level) => `- &${name} ${ten(level === 0 ? 'x' : `*${names[level - 1]}`)}`)
    .join('\n');
}

const CYCLE = `
- local_loop: {name: image0}
- mkfs: {name: a, base: c, type: ext4}
- mount: {name: b, base: a, mount_point: /}
- fstab: {name: c, base: b}
`;

const TWO_TABLES = `
- local_loop: {name: image0}
- partitioning: {base: image0, label: mbr, partitions: [{name: root, size: 100%, mkfs: {type: ext4, mount: {mount_point: /}}}]}
- partitioning: {name: again, base: image0, label: gpt, partitions: [{name: other, size: 100%}]}
`;

interface Case {
  readonly claim: string;
  readonly prepare: (rig: Rig) => Promise<unknown>;
  readonly says: RegExp;
}

/** Found by `dibkit plan`, which looks at a build as the build does: status 2. */
const CASES: readonly Case[] = [
  {
    claim: 'a list of host tools that expands without end',
    prepare: (rig) => rig.element('odd', { 'host-tools.yaml': bomb() }),
    says: /expands to more than \d+ values\n {2}at .*odd\/host-tools\.yaml:1/,
  },
  {
    claim: 'host tools that are none',
    prepare: (rig) => rig.element('odd', { 'host-tools.yaml': '- tool: a\n- why: b\n' }),
    says: /each must be a map that names its tool\n {2}at .*odd\/host-tools\.yaml:2:3/,
  },
  {
    claim: 'a configuration of the disk that expands without end',
    prepare: (rig) => rig.element('odd', { 'block-device-default.yaml': bomb() }),
    says: /The file expands to more than \d+ values/,
  },
  {
    claim: 'a configuration of the disk that is nested without end',
    prepare: (rig) => rig.element('odd', { 'block-device-default.yaml': '['.repeat(100_000) }),
    says: /Cannot parse YAML: lists and maps are nested too deeply/,
  },
  {
    claim: 'a disk whose parts lie on each other in a circle',
    prepare: (rig) => rig.element('odd', { 'block-device-default.yaml': CYCLE }),
    says: /The nodes lie on each other in a cycle: "a", "b", "c"\n {2}at .*block-device-default\.yaml:3:3/,
  },
  {
    claim: 'two partition tables over each other',
    prepare: (rig) => rig.element('odd', { 'block-device-default.yaml': TWO_TABLES }),
    says: /"image0" cannot carry both "partitioning_image0" and "again"/,
  },
  {
    claim: 'a hook whose name is no UTF-8',
    prepare: async (rig) => oddName(await rig.element('odd'), 'install.d', '50-\\xff'),
    says: /Cannot use '.*odd\/install\.d\/50-\ufffd': its name is not UTF-8[\s\S]*ls -b/,
  },
  {
    claim: 'a file deep in an element whose name is no UTF-8',
    prepare: async (rig) => oddName(await rig.element('odd'), 'static/etc/x', 'caf\\xe9'),
    says: /Cannot use '.*odd\/static\/etc\/x\/caf\ufffd': its name is not UTF-8/,
  },
];

function oddName(element: string, directory: string, name: string): void {
  const at = path.join(element, directory);
  mkdirSync(at, { recursive: true });
  execFileSync('bash', ['-c', `echo x >"$0"/$'${name}'`, at]);
}

for (const { claim, prepare, says } of CASES) {
  test(`told in one sentence: ${claim}`, async () => {
    await using rig = await openRig();
    await prepare(rig);
    const result = await rig.run('dibkit', ['plan', '-n', '-t', 'raw', 'tiny', 'odd']);
    assert.equal(result.status, 2, result.stderr);
    assert.equal(result.stderr.match(/^ERROR: /gm)?.length, 1, result.stderr);
    assert.doesNotMatch(result.stderr, /^\s+at .*\.(js|cjs|ts):\d+/m);
    assert.match(result.stderr, says);
  });
}

test('a file whose name has the character that stands for bad bytes is a file like others', async () => {
  await using rig = await openRig();
  await rig.element('odd', { 'static/\ufffd': 'x' });
  const { status, stderr } = await rig.run('dibkit', ['plan', '-n', '-t', 'tar', 'tiny', 'odd']);
  assert.equal(status, 0, stderr);
});

test('hooks remove themselves and their element while it is built, and the build goes on', async () => {
  await using rig = await openRig();
  const element = path.join(rig.elements, 'leaving');
  await rig.element('leaving', {
    'environment.d/10-leaving': 'export LEFT=yes\n',
    'root.d/20-leaving': hook(`rm "$0"; rm -r '${element}'`),
    'extra-data.d/20-after': hook('echo "after: $LEFT" >"$TMP_MOUNT_PATH/after"'),
    'install.d/20-after': hook('cat /after; echo still here'),
  });
  const first = await build(rig, ['tiny', 'leaving']);
  assert.ok(!existsSync(element));
  assert.match(first.stdout, /after: yes\n.*still here/);
  assert.deepEqual(await rig.outputs(), ['image.tar']);
  const again = await rig.run('disk-image-create', ['-n', '-t', 'tar', 'tiny', 'leaving']);
  assert.equal(again.status, 2, again.stderr);
  assert.match(again.stderr, /Cannot find the element 'leaving'/);
});

test('elements that need each other are told, and the build goes on', async () => {
  await using rig = await openRig();
  await rig.element('chicken', { 'element-deps': 'egg\n', 'root.d/20-say': hook('echo hatched') });
  await rig.element('egg', { 'element-deps': 'chicken\nhen\n' });
  await rig.element('hen', { 'element-deps': 'hen\n' });
  const { stdout } = await build(rig, ['tiny', 'chicken']);
  assert.match(
    stdout,
    /Warning: Elements need each other: egg -> chicken -> egg\. 'egg' comes first/,
  );
  assert.match(stdout, /Expanded element dependencies to: tiny hen egg chicken$/m);
  assert.match(stdout, /hatched/);
});

test('an operating system that puts nothing into the target', async () => {
  await using rig = await openRig();
  await rig.element('hollow', {
    'element-provides': 'operating-system\n',
    'root.d/10-hollow': hook('mkdir "$TARGET_ROOT/tmp" "$TARGET_ROOT/lost+found"'),
  });
  const { status, stderr } = await rig.run('disk-image-create', ['-n', '-t', 'tar', 'hollow']);
  assert.equal(status, 2, stderr);
  assert.match(
    stderr,
    /^ERROR: Failed to deploy the root element: the root\.d hooks left the target empty$/m,
  );
  assert.deepEqual(await rig.outputs(), []);
});

interface Wrong {
  readonly argv: readonly [string, ...string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly says: RegExp;
}

/** Command lines that end with 2 before anything happens. */
const WRONG: readonly Wrong[] = [
  {
    argv: ['diskimage-builder', '-j', '0', 'x.yaml'],
    says: /Option '--jobs' needs a number from 1: '0'/,
  },
  { argv: ['diskimage-builder'], says: /[Mm]issing required argument 'file'/ },
  { argv: ['dibkit', 'cache', 'verify', '--again'], says: /What is to be built again is missing/ },
  {
    argv: ['dibkit', 'fetch', '--url', 'nowhere', 'x'],
    says: /Option '--url' needs a URL: 'nowhere'/,
  },
  {
    argv: ['dibkit', 'fetch', '--url', 'http://127.0.0.1:1/x', 'x'],
    says: /Give one of '--sums' and '--sha256'/,
  },
  {
    argv: ['dibkit', 'fetch', '--url', 'http://127.0.0.1:1/x', '--sha256', 'abc', 'x'],
    says: /Option '--sha256' needs 64 hexadecimal digits: 'abc'/,
  },
  { argv: ['dibkit', 'nonsense'], says: /[Uu]nknown command 'nonsense'/ },
  {
    argv: ['disk-image-create', '--events', '/nonexistent/x', 'tiny'],
    says: /Cannot write the events file '\/nonexistent\/x'/,
  },
  {
    argv: ['disk-image-create', '-t', 'raw', 'tiny'],
    env: { DIB_IMAGE_SIZE: '1e12' },
    says: /DIB_IMAGE_SIZE must be a number of GiB above 0 and below 1048576: '1e12'/,
  },
];

for (const { argv, env, says } of WRONG) {
  const shown = [...Object.entries(env ?? {}).map(([name, value]) => `${name}=${value}`), ...argv];
  test(`told in one sentence: ${shown.join(' ')}`, async () => {
    await using rig = await openRig();
    const [command, ...args] = argv;
    const { status, stderr } = await rig.run(command, args, env === undefined ? {} : { env });
    assert.equal(status, 2, stderr);
    assert.match(stderr, says);
    assert.doesNotMatch(stderr, /^\s+at .*\.(js|cjs|ts):\d+/m);
  });
}

test('a variable that is no UTF-8 is told, and the build goes on', async () => {
  await using rig = await openRig();
  const through = ['bash', '-c', `ODD=$'a\\xff' exec "$@"`, 'bash'];
  const result = await rig.run('disk-image-create', ['-n', '-t', 'tar', 'tiny'], { through });
  assert.equal(result.status, 0, result.stderr);
  assert.match(result.stdout, /The variable ODD is not UTF-8/);
});

test('an element of 10,000 files is built like others', async () => {
  await using rig = await openRig();
  const element = await rig.element('large', {
    'install.d/10-large': hook('cd /tmp/in_target.d/data; set -- */*; echo "there are $#"'),
  });
  for (let directory = 0; directory < 100; directory++) {
    const at = path.join(element, 'data', String(directory));
    mkdirSync(at, { recursive: true });
    for (let file = 0; file < 100; file++) {
      writeFileSync(path.join(at, String(file)), 'x');
    }
  }
  const { stdout } = await build(rig, ['tiny', 'large']);
  assert.match(stdout, /there are 10000\n/);
});

async function build(rig: Rig, args: readonly string[]): Promise<Result> {
  const result = await rig.run('disk-image-create', ['-n', '-t', 'tar', ...args], {
    // A limit of memory that what is read for such an element does not come near.
    env: { NODE_OPTIONS: '--max-old-space-size=192' },
  });
  assert.equal(result.status, 0, result.stdout.slice(-2000) + result.stderr);
  return result;
}
