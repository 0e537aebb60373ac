/** growvols: its sums, what it finds out about a disk, and the commands that it comes to. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT, runHook } from '../rig/run-hook.ts';
import { openTarget, type TargetResult } from '../rig/target-root.ts';

const PROGRAM = path.join(ROOT, 'elements/growvols/static/usr/local/sbin/growvols');
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const EXTENT = 4 * MIB;

/** Calls functions of the program, one per line of `code`; returns their lines, or why it failed. */
async function call(code: string): Promise<readonly string[]> {
  const { status, stdout, stderr } = await runHook(['bash', '-c', `. ${PROGRAM}; ${code}`]);
  return status === 0 ? stdout.trimEnd().split('\n') : [stderr.trimEnd()];
}

const FREE = 100 * GIB;
const LARGE = 2 ** 62;
const AMOUNTS: readonly (readonly [amount: string, free: number, bytes: bigint])[] = [
  ['0%', FREE, 0n],
  ['1%', FREE, BigInt(GIB)],
  ['100%', FREE, BigInt(FREE)],
  ['250%', FREE, BigInt(FREE)],
  ['50%', 3, 1n],
  ['33%', 100 * GIB + 99, (33n * BigInt(100 * GIB + 99)) / 100n],
  ['99%', LARGE, (99n * BigInt(LARGE)) / 100n],
  ['20GB', FREE, 20_000_000_000n],
  ['20GiB', FREE, 20n * BigInt(GIB)],
  ['7MB', FREE, 7_000_000n],
  ['7MiB', FREE, 7n * BigInt(MIB)],
  ['010MiB', FREE, 10n * BigInt(MIB)],
  ['999999999GiB', FREE, 999_999_999n * BigInt(GIB)],
];

test('an amount is so many bytes, by unit or as a part of the free space', async () => {
  const code = AMOUNTS.map(([amount, free]) => `bytes_of ${amount} ${BigInt(free)}`).join('\n');
  const bytes = await call(code);
  assert.deepEqual(
    bytes.map((line, index) => [AMOUNTS[index]?.[0], line]),
    AMOUNTS.map(([amount, , expected]) => [amount, String(expected)]),
  );
});

for (const amount of ['', '5', 'GB', '5TB', '-5GB', '5.5GB', '5 GB', '5gb', '%', '9999999999MB']) {
  test(`'${amount}' is no amount`, async () => {
    const [said = ''] = await call(`bytes_of '${amount}' ${FREE}`);
    assert.match(said, new RegExp(`^growvols: '${amount}' is (no amount; give|more than there)`));
  });
}

const SHARES: readonly (readonly [string, number, number, number, number])[] = [
  // amount, free, left, what the volume gets, what is left then
  ['50%', 100 * EXTENT, 100 * EXTENT, 50 * EXTENT, 50 * EXTENT],
  ['50%', 100 * EXTENT, 10 * EXTENT, 10 * EXTENT, 0],
  ['50%', 100 * EXTENT, 0, 0, 0],
  ['50%', 3 * EXTENT, 3 * EXTENT, EXTENT, 2 * EXTENT],
  ['100%', 3 * EXTENT + 5, 3 * EXTENT + 5, 3 * EXTENT, 5],
  ['3MiB', 3 * EXTENT, 3 * EXTENT, 0, 3 * EXTENT],
  ['20GB', 100 * GIB, 100 * GIB, 19998441472, 100 * GIB - 19998441472],
];

test('a volume gets whole extents, and no more than is left', async () => {
  const code = SHARES.map(([amount, free, left]) => `share ${amount} ${free} ${left}`).join('\n');
  assert.deepEqual(
    await call(code),
    SHARES.map(([, , , bytes, left]) => `${bytes} ${left}`),
  );
});

test('LVM keeps two extents for itself; a thin pool two metadata volumes and one more extent', async () => {
  assert.deepEqual(await call(`for_lvm ${3 * EXTENT}\nfor_lvm ${9 * EXTENT + EXTENT / 2}`), [
    String(EXTENT),
    String(7 * EXTENT),
  ]);
  for (const bytes of [0, EXTENT, 2 * EXTENT + 1]) {
    assert.match((await call(`for_lvm ${bytes}`))[0] ?? '', /are too little to grow a volume by/);
  }
  assert.deepEqual(await call(`for_pool ${10 * GIB + 5}`), [String(8 * GIB - EXTENT)]);
});

test('sizes are printed in the largest unit that fits', async () => {
  const sizes = [1, 1023, 1024, MIB - 1, MIB, 3_000_000_000, 4_000_000_000_000];
  assert.deepEqual(await call(sizes.map((size) => `human ${size}`).join('\n')), [
    '1B',
    '1023B',
    '1KiB',
    '1023KiB',
    '1MiB',
    '2GiB',
    '3725GiB',
  ]);
});

type Row = readonly [kname: string, pkname: string, name: string, label: string, rest: string];
const row = ([kname, pkname, name, label, rest]: Row): string => {
  const [type = '', fstype = '', mountpoint = ''] = rest.split(' ');
  return `KNAME="${kname}" PKNAME="${pkname}" NAME="${name}" LABEL="${label}" TYPE="${type}" FSTYPE="${fstype}" MOUNTPOINT="${mountpoint}"`;
};
const DISK: readonly Row[] = [
  ['sda', '', 'sda', '', 'disk'],
  ['sda1', 'sda', 'sda1', 'ESP', 'part vfat /boot/efi'],
  ['sda3', 'sda', 'sda3', '', 'part LVM2_member'],
  ['dm-0', 'sda3', 'vg-lv_root', 'img-rootfs', 'lvm xfs /'],
  ['dm-1', 'sda3', 'vg-lv_home', 'fs\\x20home', 'lvm xfs /home'],
  ['dm-2', 'sda3', 'vg-lv_var', 'fs_var', 'lvm ext4 /var'],
];
const NVME = DISK.map(
  ([kname, pkname, name, label, rest]): Row => [
    kname.replace(/^sda(.+)$/, 'nvme0n1p$1').replace('sda', 'nvme0n1'),
    pkname.replace(/^sda(.+)$/, 'nvme0n1p$1').replace('sda', 'nvme0n1'),
    name.replace(/^sda(.+)$/, 'nvme0n1p$1').replace('sda', 'nvme0n1'),
    label,
    rest,
  ],
);
/** The same disk by two paths. */
const PATHS: readonly Row[] = ['sda', 'sdb'].flatMap((disk): readonly Row[] => [
  [disk, '', disk, '', 'disk mpath_member'],
  ['dm-9', disk, 'mpatha', '', 'mpath'],
  ['dm-8', 'dm-9', 'mpatha2', '', 'part LVM2_member'],
  ['dm-0', 'dm-8', 'vg-lv_root', 'img-rootfs', 'lvm xfs /'],
]);

const LVS = 'lv_root /dev/mapper/vg-lv_root -wi-ao----\nlv_home /dev/mapper/vg-lv_home -wi-ao----';
const THIN =
  'pool /dev/mapper/vg-pool twi-aotz--\nlv_root /dev/mapper/vg-lv_root Vwi-aotz-- pool\n' +
  'lv_home /dev/mapper/vg-lv_home Vwi-aotz-- pool';
const FIRST = 79267840;
const LAST = 488265727;
const ALL = (LAST - FIRST) * 512;
const inExtents = (bytes: number): number => Math.floor(bytes / EXTENT) * EXTENT;

interface Machine {
  readonly devices?: readonly Row[];
  readonly groups?: string;
  readonly volumes?: string;
  readonly last?: number;
  readonly table?: string;
}

/** Runs it on a machine that says this of itself. */
async function grow(
  args: readonly string[],
  { devices = DISK, groups = 'vg', volumes = LVS, last = LAST, table = '' }: Machine = {},
  env: Readonly<Record<string, string>> = {},
): Promise<TargetResult & { readonly calls: readonly string[] }> {
  const answers = { lsblk: devices.map(row).join('\n'), vgs: `  ${groups}`, lvs: volumes };
  const stubs = Object.fromEntries(
    Object.entries(answers).map(([tool, text]) => [tool, `cat <<'EOT'\n${text}\nEOT`]),
  );
  const disks = ['sda', 'nvme0n1', 'dm-9'];
  const sectors = disks.map((disk) => [`sys/${disk}/queue/logical_block_size`, '512\n']);
  await using target = await openTarget(Object.fromEntries(sectors), {
    ...stubs,
    sgdisk: `case "$1" in --first*) printf '%s\\n' ${FIRST} ${last} ;; -v) echo "${table}" ;; esac`,
    ...{ partprobe: '', pvcreate: '', vgextend: '', lvextend: '', xfs_growfs: '', multipath: '' },
  });
  const program = await readFile(PROGRAM, 'utf8');
  const result = await target.run(program, args, { SYS_BLOCK: '/sys', ...env });
  const asked = /^(lsblk|vgs|lvs|sgdisk (-v|--first))/;
  return { ...result, calls: (await target.calls()).filter((call) => !asked.test(call)) };
}

test('the free space is made a partition and given to the volumes in order, the rest to /', async () => {
  const { status, stderr, calls } = await grow(['--yes', 'fs home=20GB']);
  assert.deepEqual([status, stderr], [0, '']);
  const home = inExtents(20_000_000_000);
  assert.deepEqual(calls, [
    `sgdisk --new=4:${FIRST}:${LAST} --change-name=4:growvols /dev/sda`,
    'partprobe /dev/sda',
    'pvcreate -ff --yes /dev/sda4',
    'vgextend vg /dev/sda4',
    `lvextend --size +${home - 2 * EXTENT}B /dev/mapper/vg-lv_home /dev/sda4`,
    `lvextend --size +${inExtents(ALL - home) - 2 * EXTENT}B /dev/mapper/vg-lv_root /dev/sda4`,
    'xfs_growfs /dev/mapper/vg-lv_home',
    'xfs_growfs /dev/mapper/vg-lv_root',
  ]);
});

test('a volume that is named twice gets both shares', async () => {
  const { calls } = await grow(['--yes', '/=10%', '/home=100%']);
  const root = inExtents(Math.floor(ALL / 10));
  assert.deepEqual(calls.slice(4, 6), [
    `lvextend --size +${root - 2 * EXTENT}B /dev/mapper/vg-lv_root /dev/sda4`,
    `lvextend --size +${inExtents(ALL - root) - 2 * EXTENT}B /dev/mapper/vg-lv_home /dev/sda4`,
  ]);
  const both = await grow(['--yes', '/=10%', '/home=50%']);
  const home = inExtents(Math.floor(ALL / 2));
  const left = root + inExtents(ALL - root - home);
  assert.equal(
    both.calls[4],
    `lvextend --size +${left - 2 * EXTENT}B /dev/mapper/vg-lv_root /dev/sda4`,
  );
});

test('who comes when nothing is left is told so, and the others grow', async () => {
  const { status, stderr, calls } = await grow(['--yes', '/=100%', '/home=5GiB']);
  assert.equal(status, 0);
  assert.equal(stderr, "growvols: warning: nothing is left for '/home=5GiB'\n");
  assert.equal(calls.filter((call) => call.startsWith('lvextend')).length, 1);
});

test('partitions of NVMe disks and of disks with several paths have their own names', async () => {
  const nvme = await grow(['--yes'], { devices: NVME });
  assert.deepEqual(nvme.calls.slice(0, 3), [
    `sgdisk --new=4:${FIRST}:${LAST} --change-name=4:growvols /dev/nvme0n1`,
    'partprobe /dev/nvme0n1',
    'pvcreate -ff --yes /dev/nvme0n1p4',
  ]);
  const paths = await grow(['--yes'], { devices: PATHS });
  assert.deepEqual(paths.calls.slice(0, 4), [
    `sgdisk --new=3:${FIRST}:${LAST} --change-name=3:growvols /dev/dm-9`,
    'multipath -r',
    'partprobe /dev/dm-9',
    'pvcreate -ff --yes /dev/mapper/mpatha3',
  ]);
});

test('a thin pool grows with its metadata, before its volumes', async () => {
  const { status, stderr, calls } = await grow(['--yes'], { volumes: THIN });
  assert.deepEqual([status, stderr], [0, '']);
  const free = inExtents(ALL - 2 * GIB) - EXTENT;
  assert.deepEqual(calls.slice(4), [
    `lvextend --poolmetadatasize +${GIB}B vg/pool`,
    `lvextend -L+${free - 2 * EXTENT}B /dev/mapper/vg-pool /dev/sda4`,
    `lvextend --size +${free - 2 * EXTENT}B /dev/mapper/vg-lv_root`,
    'xfs_growfs /dev/mapper/vg-lv_root',
  ]);
});

test('the end of the partition table is moved to the end of a disk that has grown', async () => {
  const table = "Problem: it doesn't reside\nat the end of the disk";
  const { calls } = await grow(['--yes'], { table });
  assert.deepEqual(calls.slice(0, 2), ['sgdisk -e /dev/sda', 'partprobe /dev/sda']);
});

test('--noop prints the commands and runs none', async () => {
  const { status, stdout, calls } = await grow(['--noop']);
  assert.deepEqual([status, calls], [0, []]);
  assert.match(stdout, /^# Prepare sda4 for LVM\npvcreate -ff --yes \/dev\/sda4$/m);
});

test('what is not on the command line comes from the environment', async () => {
  const env = { GROWVOLS_ARGS: '/home=100%', GROWVOLS_GROUP: 'vg', GROWVOLS_DEVICE: 'sda' };
  const { calls } = await grow(['--yes'], { groups: 'other vg' }, env);
  assert.match(calls[4] ?? '', /vg-lv_home/);
});

test('less than 1 GiB is not worth a partition; --exit-on-no-grow tells', async () => {
  const small = { last: FIRST + 2 * 1024 * 1024 - 1 };
  const quiet = await grow(['--yes'], small);
  assert.deepEqual([quiet.status, quiet.calls], [0, []]);
  assert.match(quiet.stderr, /nothing to do: the largest free space of '\/dev\/sda' is 1023MiB/);
  assert.equal((await grow(['--yes', '--exit-on-no-grow'], small)).status, 2);
});

const REFUSED: readonly (readonly [readonly string[], Machine, RegExp])[] = [
  [['/nope=5%'], {}, /there is no volume '\/nope', of '\/nope=5%'/],
  [['/home'], {}, /'\/home' is not of the form VOLUME=AMOUNT/],
  [['/home=5TB'], {}, /'5TB' is no amount/],
  [['/boot/efi=5%'], {}, /'sda1' is no logical volume, but of type 'part'/],
  [['/var=5%'], {}, /'vg-lv_var' has no XFS file system, but 'ext4'/],
  [['--group', 'x'], {}, /there is no volume group 'x'/],
  [['--device', 'sdx'], {}, /there is no device 'sdx'/],
  [['--device', 'sda1'], {}, /'sda1' is no disk, but of type 'part'/],
  [['--frobnicate'], {}, /unknown option '--frobnicate'/],
  [['--group'], {}, /--group needs a value/],
  [[], { groups: '' }, /there is no volume group$/],
  [[], { groups: 'a b' }, /several volume groups, name one with --group: a b/],
  [[], { devices: DISK.slice(0, 3) }, /nothing is mounted at \//],
  [[], { devices: DISK.filter(([kname]) => kname !== 'sda3') }, /cannot find the disk that \/ is/],
  [[], { volumes: `${THIN}\nlv_x /dev/mapper/vg-lv_x Vwi-aotz-- q` }, /'lv_x' is not in 'pool'/],
];
for (const [args, machine, says] of REFUSED) {
  test(`growvols ${args.join(' ')}: ${says.source.replaceAll('\\', '')}`, async () => {
    const { status, stderr, calls } = await grow(['--yes', ...args], machine);
    assert.deepEqual([status, calls], [1, []]);
    assert.match(stderr.trimEnd(), says);
    assert.match(stderr, /^growvols: [^\n]+\n$/);
  });
}

test('without --yes and without somebody to ask it does nothing', async () => {
  const { status, stderr, calls } = await grow([]);
  assert.deepEqual([status, calls], [1, []]);
  assert.match(stderr, /nobody is there to be asked: give --yes/);
});

const HOOK = 'growvols/post-install.d/80-growvols';
const DEFAULTS = { DIB_GROWVOLS_ARGS: '', DIB_GROWVOLS_GROUP: '', DIB_GROWVOLS_DEVICE: '' };

test('the service is enabled only where that is asked for, with the arguments of the build', async () => {
  const program = await readFile(PROGRAM, 'utf8');
  const files = { 'usr/local/sbin/growvols': program };
  await using manual = await openTarget(files, { systemctl: '' });
  const env = { ...DEFAULTS, DIB_INIT_SYSTEM: 'systemd' };
  await manual.hook(HOOK, { ...env, DIB_GROWVOLS_TRIGGER: 'manual' });
  assert.deepEqual(await manual.calls(), []);

  await using target = await openTarget(files, { systemctl: '' });
  const asked = { ...env, DIB_GROWVOLS_TRIGGER: 'systemd', DIB_GROWVOLS_GROUP: 'vg' };
  await target.hook(HOOK, { ...asked, DIB_GROWVOLS_ARGS: 'fs_home=20GiB /=5%' });
  assert.deepEqual(await target.calls(), ['systemctl enable growvols.service']);
  assert.equal(
    await target.read('etc/default/growvols'),
    'GROWVOLS_ARGS="fs_home=20GiB /=5%"\nGROWVOLS_GROUP="vg"\nGROWVOLS_DEVICE=""\n',
  );

  for (const [bad, says] of [
    [{ DIB_GROWVOLS_TRIGGER: 'cron' }, /DIB_GROWVOLS_TRIGGER is 'cron'; give manual or systemd/],
    [{ DIB_INIT_SYSTEM: 'openrc' }, /only systemd can run it at boot, and this image has 'openrc'/],
    [{ DIB_GROWVOLS_ARGS: '/home=lots' }, /'lots' is no amount/],
  ] as const) {
    const { status, stderr } = await target.tryHook(HOOK, { ...asked, ...bad });
    assert.equal(status, 1);
    assert.match(stderr, says);
  }
});
