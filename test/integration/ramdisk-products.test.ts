/** ramdisk-image-create on elements of a test: what comes out, how it gets its name, what is refused. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig, type Rig, text } from '../rig/rig.ts';

/** An element that hands two files over, whose text is $WHAT. */
async function openRamdiskRig(): Promise<Rig> {
  const rig = await openRig();
  await rig.element('mine', {
    'cleanup.d/50-mine': hook(`
      echo "initramfs \${WHAT:-first}" >"$TMP_MOUNT_PATH/tmp/ramdisk"
      dib-product initramfs "$TMP_MOUNT_PATH/tmp/ramdisk"
      echo "kernel \${WHAT:-first}" >"$TMP_MOUNT_PATH/tmp/kernel"
      dib-product kernel "$TMP_MOUNT_PATH/tmp/kernel"`),
  });
  return rig;
}

const BUILD = ['-n', '--ramdisk-element', 'mine', '-o', 'deploy'];

test('kernel and initramfs come out with checksums, and again from the layers; nothing else does', async () => {
  await using rig = await openRamdiskRig();
  const wanted = ['deploy.initramfs', 'deploy.kernel'].flatMap((file) => [
    file,
    `${file}.md5`,
    `${file}.sha256`,
  ]);
  for (const again of [false, true]) {
    const built = await rig.run('ramdisk-image-create', [...BUILD, '--checksum', 'tiny'], {
      env: { OVERWRITE_OLD_IMAGE: '1' },
    });
    assert.equal(built.status, 0, built.stdout + built.stderr);
    assert.deepEqual(await rig.outputs(), wanted);
    assert.equal(await text(rig.out, 'deploy.initramfs'), 'initramfs first\n');
    assert.equal(await text(rig.out, 'deploy.kernel'), 'kernel first\n');
    execFileSync('sha256sum', ['--check', '--status', 'deploy.initramfs.sha256'], { cwd: rig.out });
    execFileSync('md5sum', ['--check', '--status', 'deploy.kernel.md5'], { cwd: rig.out });
    assert.equal((await stat(path.join(rig.out, 'deploy.initramfs'))).mode & 0o777, 0o644);
    const artifacts = built.events.flatMap((event) => (event.kind === 'artifact' ? [event] : []));
    assert.deepEqual(
      artifacts.map((one) => one.type),
      ['initramfs', 'kernel'],
    );
    const ran = built.events.some((event) => event.kind === 'hook-end' && event.hook === '50-mine');
    assert.equal(ran, !again);
  }
});

test('old ones are renamed aside when the new ones are complete, and not touched by a build that fails', async () => {
  await using rig = await openRamdiskRig();
  assert.equal((await rig.run('ramdisk-image-create', [...BUILD, 'tiny'])).status, 0);
  await rig.element('breaks', { 'cleanup.d/60-breaks': hook('exit 1') });
  const failed = await rig.run('ramdisk-image-create', [...BUILD, 'tiny', 'breaks'], {
    env: { WHAT: 'broken' },
  });
  assert.equal(failed.status, 1);
  assert.deepEqual(await rig.outputs(), ['deploy.initramfs', 'deploy.kernel']);
  assert.equal(await text(rig.out, 'deploy.kernel'), 'kernel first\n');
  const second = await rig.run('ramdisk-image-create', [...BUILD, 'tiny'], {
    env: { WHAT: 'second' },
  });
  assert.equal(second.status, 0);
  assert.equal(await text(rig.out, 'deploy.initramfs'), 'initramfs second\n');
  const renamed = (await rig.outputs()).filter((name) => /^deploy-[\d.-]+\.initramfs$/.test(name));
  assert.equal(renamed.length, 1);
  assert.equal(await text(rig.out, renamed[0] ?? ''), 'initramfs first\n');
});

test('the tree is written where it is asked for, and a disk is not', async () => {
  await using rig = await openRamdiskRig();
  const built = await rig.run('ramdisk-image-create', [...BUILD, '-t', 'qcow2,tar', 'tiny']);
  assert.equal(built.status, 0, built.stdout + built.stderr);
  assert.deepEqual(await rig.outputs(), ['deploy.initramfs', 'deploy.kernel', 'deploy.tar']);
  assert.match(built.stdout, /No qcow2 is written: ramdisk-image-create makes no disks/);
});

test('RAMDISK_ELEMENT says the same; disk-image-create writes what hooks hand over, too', async () => {
  await using rig = await openRamdiskRig();
  const built = await rig.run('ramdisk-image-create', ['-n', 'tiny'], {
    env: { RAMDISK_ELEMENT: 'mine' },
  });
  assert.equal(built.status, 0, built.stdout + built.stderr);
  assert.deepEqual(await rig.outputs(), ['image.initramfs', 'image.kernel']);
  const disk = await rig.run('disk-image-create', ['-n', '-t', 'tar', '-o', 'd', 'tiny', 'mine']);
  assert.equal(disk.status, 0, disk.stdout + disk.stderr);
  assert.equal(await text(rig.out, 'd.kernel'), 'kernel first\n');
});

test('hooks of others may write beside the image themselves, as upstream’s do', async () => {
  await using rig = await openRig();
  await rig.element('theirs', {
    'cleanup.d/99-theirs': hook('echo one >$IMAGE_NAME.initramfs; echo two >$IMAGE_NAME.kernel'),
  });
  const argv = ['-n', '--ramdisk', 'theirs', 'tiny'];
  // And from the layers.
  for (const _ of ['first', 'again']) {
    const built = await rig.run('ramdisk-image-create', argv);
    assert.equal(built.status, 0, built.stdout + built.stderr);
    assert.deepEqual(await rig.outputs(), ['image.initramfs', 'image.kernel']);
  }
  await rig.element('nothing', { 'cleanup.d/99-nothing': hook('true') });
  const stale = await rig.run('ramdisk-image-create', ['-n', '--ramdisk', 'nothing', 'tiny']);
  assert.equal(stale.status, 2, 'those that are there are of another build');
  assert.match(stale.stderr, /No hook has made the initramfs of the RAM disk/);
});

test('an image file with `ramdisk: true` is built by ramdisk-image-create', async () => {
  await using rig = await openRamdiskRig();
  const file = path.join(rig.dir, 'images.yaml');
  await writeFile(
    file,
    '- imagename: net\n  ramdisk: true\n  ramdisk-element: mine\n  skip-base: true\n  elements: [tiny]\n',
  );
  const built = await rig.run('diskimage-builder', [file]);
  assert.equal(built.status, 0, built.stdout + built.stderr);
  assert.match(built.stderr, /^ramdisk-image-create -o net --ramdisk-element mine -n tiny$/m);
  assert.deepEqual(await rig.outputs(), ['net.initramfs', 'net.kernel']);
});

/** Runs what follows where a tool of the host cannot be executed. */
const WITHOUT_SETPRIV = [
  ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
  ...['mount --bind /dev/null "$(command -v setpriv)"; exec "$@"', 'sh'],
];

const REFUSED: readonly {
  readonly claim: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly through?: readonly string[];
  readonly status: number;
  readonly says: RegExp;
}[] = [
  {
    claim: 'a RAM disk element that nobody has',
    argv: ['-n', '--ramdisk-element', 'dracut-ramdsk', 'tiny'],
    status: 2,
    says: /Cannot find the element 'dracut-ramdsk'.*--ramdisk-element[\s\S]*'dracut-ramdisk'/,
  },
  {
    claim: 'no element',
    argv: [],
    status: 2,
    says: /At least one distribution root element[\s\S]*ramdisk-image-create debian-minimal/,
  },
  {
    claim: 'an unknown type',
    argv: ['-t', 'floppy', 'tiny'],
    status: 2,
    says: /Unknown image type 'floppy'[\s\S]*ramdisk-image-create --help/,
  },
  {
    claim: 'elements that make no RAM disk',
    argv: ['-n', '--ramdisk-element', 'nothing', 'tiny'],
    status: 2,
    says: /No hook has made the initramfs of the RAM disk: 'image.initramfs'[\s\S]*ramdisk-base/,
  },
  {
    claim: 'a product with the name of an image',
    argv: ['-n', '-t', 'tar', '--ramdisk-element', 'mine', 'tiny', 'takes-tar'],
    status: 2,
    says: /handed over 'image.tar', which is the name of an image/,
  },
  {
    claim: 'a product that is not there',
    argv: ['-n', '--ramdisk-element', 'hands-over-nothing', 'tiny'],
    status: 1,
    says: /Cannot hand '\/nowhere' over: it is no file/,
  },
  {
    claim: 'a compression that the kernel does not know',
    argv: ['-n', 'tiny'],
    env: { DIB_RAMDISK_COMPRESSION: 'zip' },
    status: 1,
    says: /DIB_RAMDISK_COMPRESSION must be gzip, zstd or xz: 'zip'/,
  },
  {
    claim: 'a host without a tool that it needs',
    argv: BUILD.concat('tiny'),
    through: WITHOUT_SETPRIV,
    status: 3,
    says: /The host lacks setpriv[\s\S]*util-linux/,
  },
];

for (const { claim, argv, env = {}, through, status, says } of REFUSED) {
  test(`ramdisk-image-create refuses ${claim}`, async () => {
    await using rig = await openRamdiskRig();
    await rig.element('nothing', { 'install.d/50-nothing': hook('true') });
    await rig.element('takes-tar', {
      'cleanup.d/70-takes-tar': hook('dib-product tar /etc/hostname'),
    });
    await rig.element('hands-over-nothing', {
      'cleanup.d/70-nothing': hook('dib-product kernel /nowhere'),
    });
    const result = await rig.run('ramdisk-image-create', argv, {
      env,
      ...(through === undefined ? {} : { through }),
    });
    assert.equal(result.status, status, result.stdout + result.stderr);
    assert.match(result.stdout + result.stderr, says);
    assert.deepEqual(await rig.outputs(), []);
  });
}

test('`dibkit plan --ramdisk` names what comes out; `doctor --ramdisk` asks for no tools of disks', async () => {
  await using rig = await openRamdiskRig();
  const planned = await rig.run('dibkit', ['plan', '--ramdisk', '--json', ...BUILD, 'tiny']);
  const plan = JSON.parse(planned.stdout) as {
    images: string[];
    disk: unknown;
    elements: { name: string }[];
  };
  assert.deepEqual(plan.images, ['deploy.initramfs', 'deploy.kernel']);
  assert.equal(plan.disk, null);
  assert.deepEqual(
    plan.elements.map(({ name }) => name),
    ['mine', 'tiny'],
  );
  const doctor = await rig.run('dibkit', ['doctor', '--ramdisk', ...BUILD, 'tiny']);
  assert.equal(doctor.status, 0);
  assert.doesNotMatch(doctor.stdout, /qemu-img|sfdisk/);
});
