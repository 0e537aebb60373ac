/** Volume groups written by us, read by LVM's own programs and by GRUB. No device-mapper is needed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { DiskPlan, FileSystemLayout } from '../../src/disk/layout.ts';
import { writeDisk } from '../../src/disk/write.ts';
import type { Context } from '../../src/events/event.ts';
import { withoutLoopDevices } from '../rig/loop-devices.ts';
import { LVM, LVM_TWO_DISKS, planOf } from '../unit/disk/configs.ts';

const context: Context = {
  emit: () => {},
  signal: new AbortController().signal,
  toolEnvironment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', TZ: 'UTC' },
};

interface Written {
  readonly directory: string;
  /** In the order of the images. */
  readonly files: readonly string[];
}

/** Writes a disk of a tree with `proof` in its root and in /var. */
async function write(plan: DiskPlan, test: TestContext): Promise<Written> {
  const directory = mkdtempSync(path.join(tmpdir(), 'lvm-'));
  test.after(() => rmSync(directory, { recursive: true }));
  const [tree, workDir] = [path.join(directory, 'tree'), path.join(directory, 'work')];
  mkdirSync(path.join(tree, 'var'), { recursive: true });
  mkdirSync(workDir);
  writeFileSync(path.join(tree, 'proof'), 'in root\n');
  writeFileSync(path.join(tree, 'var/proof'), 'in var\n');
  // More than the first of the pieces holds, and nothing that repeats itself.
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const noise = cipher.update(Buffer.alloc(40 * 2 ** 20));
  writeFileSync(path.join(tree, 'var/noise'), noise);
  const files = plan.images.map(({ name }) => path.join(directory, `${name}.raw`));
  const byName = new Map(plan.images.map(({ name }, index) => [name, files[index] ?? '']));
  const target = { tree, workDir, files: byName, sourceDateEpoch: 1_700_000_000 };
  await writeDisk(plan, target, context);
  assert.deepEqual(readdirSync(workDir), []);
  return { directory, files };
}

/** A file system as a file of its own, put together from where the plan says that its bytes lie. */
function extract(fs: FileSystemLayout, { directory }: Written): string {
  const out = path.join(directory, `${fs.uuid}.fs`);
  let seek = 0;
  for (const { image, offsetBytes, sizeBytes } of fs.pieces ?? [fs]) {
    const places = [`skip=${offsetBytes}`, `count=${sizeBytes}`, `seek=${seek}`];
    const flags = ['iflag=skip_bytes,count_bytes', 'oflag=seek_bytes', 'conv=notrunc,sparse'];
    const files = [`if=${path.join(directory, image)}.raw`, `of=${out}`];
    execFileSync('dd', [...files, 'bs=1M', ...places, ...flags, 'status=none']);
    seek += sizeBytes;
  }
  execFileSync('truncate', ['-s', String(fs.sizeBytes), out]);
  return out;
}

/** What LVM's programs say of images that are attached in parts; loop devices go with the command. */
function lvm(parts: readonly (readonly [string, number])[], commands: string): string {
  const script = `
    devices=()
    trap 'losetup --detach "\${devices[@]}"' EXIT
    filter=
    while [ "$1" != -- ]; do
      device=$(losetup --find --show --offset "$2" "$1")
      devices+=("$device") filter+="\\"a|^$device\\$|\\","
      shift 2
    done
    export LVM_SYSTEM_DIR=$3 LVM_SUPPRESS_FD_WARNINGS=1
    mkdir -p "$LVM_SYSTEM_DIR"
    echo "devices { use_devicesfile=0 filter=[$filter\\"r|.*|\\"] } global { activation=0 }" \\
      >"$LVM_SYSTEM_DIR/lvm.conf"
    eval "$2"`;
  const directory = mkdtempSync(path.join(tmpdir(), 'lvm-system-'));
  try {
    const args = parts.flatMap(([file, offset]) => [file, String(offset)]);
    return execFileSync('bash', ['-eu', '-c', script, 'bash', ...args, '--', commands, directory], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const COMMANDS = [
  'lvs --noheadings --separator " " --units m --nosuffix -o lv_name,lv_size,lv_attr,lv_tags,lv_time',
  'vgs --noheadings --separator " " --units m -o vg_name,vg_extent_size,vg_extent_count,vg_tags,pv_count',
  'vgck',
  'for device in "${devices[@]}"; do pvck "$device"; pvck --dump metadata "$device"; done',
].join('\n');

const MIB = 2 ** 20;

test('LVM reads a group, and its volumes hold their parts of the tree', {
  skip: withoutLoopDevices(),
}, async (test) => {
  const plan = planOf(LVM, 512);
  const written = await write(plan, test);
  const said = lvm([[written.files[0] ?? '', 9 * MIB]], COMMANDS);
  assert.match(said, /^ *lv_root 112\.00 -wi-\S+ {2}2023-11-14 22:13:20 \+0000$/m);
  assert.match(said, /^ *lv_var 284\.00 /m);
  assert.match(said, /^ *vg 4\.00m 125 {2}1$/m);
  assert.match(said, /Found label on \S+, sector 1, type=LVM2 001/);
  assert.match(said, /^\s*stripes = \[\n\s*"pv0", 28$/m);
  for (const [index, place] of ['root', 'var'].entries()) {
    const fs = plan.fileSystems[index];
    assert.ok(fs !== undefined);
    const file = extract(fs, written);
    execFileSync('e2fsck', ['-fn', file], { stdio: 'ignore' });
    const proof = execFileSync('debugfs', ['-R', 'cat /proof', file], { stdio: 'pipe' });
    assert.equal(String(proof), `in ${place}\n`);
  }
});

test('a volume on two disks is whole, and GRUB reads it', {
  skip: withoutLoopDevices(),
}, async (test) => {
  const plan = planOf(LVM_TWO_DISKS);
  const written = await write(plan, test);
  const [disk = '', data = ''] = written.files;
  const said = lvm(
    [
      [disk, MIB],
      [data, 0],
    ],
    COMMANDS,
  );
  assert.match(said, /^ *both 61\.00 -wi-\S+ here /m);
  assert.match(said, /^ *vg-0 1\.00m 100 built 2$/m);
  const fs = plan.fileSystems.find(({ name }) => name === 'fs/both');
  assert.ok(fs !== undefined);
  execFileSync('e2fsck', ['-fn', extract(fs, written)], { stdio: 'ignore' });
  const noise = path.join(written.directory, 'tree/var/noise');
  execFileSync('grub-fstest', ['-c', '2', disk, data, 'cmp', '(lvm/vg--0-both)/noise', noise]);
});
