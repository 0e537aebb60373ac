/** A RAM disk of the mirror's Debian: built, started in QEMU, built again, and built by dracut. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { bootKernel } from '../rig/boot.ts';
import { asOrdinaryUser } from '../rig/ordinary-user.ts';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';
import { ROOT } from '../rig/run-hook.ts';
import { openTarget, type TargetResult } from '../rig/target-root.ts';

/** With all that an element can add; the fragment prints what has come of it, and ends the machine. */
const PROBE = {
  'binary-deps.d/probe': 'findmnt\n',
  'init.d/60-probe': `
    echo "address=$BOOT_IP_ADDRESS/$BOOT_NETMASK via $BOOT_GATEWAY"
    echo "parameter=$(get_kernel_parameter word)"
    echo "program=$(findmnt --noheadings --output FSTYPE /proc)"
    echo "file=$(cat /from-the-target)"
    echo "rule=$(readlink /dev/probe)"
    echo "modules=$(lsmod | awk '/^virtio_net/ { print $1 }')"
    echo "end=of probe"
    poweroff -f
  `,
  'ramdisk-install.d/50-probe': hook('cat /etc/debian_chroot >"$TMP_MOUNT_PATH/from-the-target"'),
  'post-install.d/50-probe': hook('echo "the target" >/etc/debian_chroot'),
  'udev.d/90-probe.rules': 'KERNEL=="null", SYMLINK+="probe"\n',
};

/** The tree of the first build, which has all packages, instead of another installation. */
const FROM_TAR = {
  'element-provides': 'operating-system\n',
  'environment.d/10-from-tar.bash': 'export DISTRO_NAME=debian DIB_RELEASE=stable\n',
  'root.d/10-from-tar': hook('dib-extract "$FROM_TAR" "$TARGET_ROOT"'),
};

const BUILD = {
  args: ['-n', '-p', 'dracut-core', 'debian-minimal', 'probe'],
  env: { DIB_RAMDISK_MODULES: 'virtio_pci virtio_net', SOURCE_DATE_EPOCH: '1700000000' },
} as const;

let rig: Rig;
let built: Result;

before(async () => {
  rig = await openRig();
  await rig.element('probe', PROBE);
  await rig.element('from-tar', FROM_TAR);
  built = await rig.run('ramdisk-image-create', ['-t', 'tar', '-o', 'first', ...BUILD.args], {
    env: BUILD.env,
  });
});

after(async () => {
  await rig[Symbol.asyncDispose]();
});

function out(name: string): string {
  return path.join(rig.out, name);
}

/** The names in an initramfs that gzip has compressed. */
function namesIn(initramfs: string): readonly string[] {
  const script = 'gzip --decompress --stdout "$1" | busybox cpio -t 2>/dev/null';
  const said = execFileSync('sh', ['-c', script, 'sh', initramfs], { encoding: 'utf8' });
  return said.split('\n');
}

test('a kernel and an initramfs are made of Debian, with the modules that were asked for', async () => {
  assert.equal(built.status, 0, (built.stdout + built.stderr).slice(-4000));
  const wanted = ['first.d', 'first.initramfs', 'first.kernel', 'first.tar'];
  assert.deepEqual(await rig.outputs(), wanted);
  const names = namesIn(out('first.initramfs'));
  const modules = names.filter((name) => /\.ko(\.[xg]z|\.zst)?$/.test(name));
  assert.ok(modules.some((name) => name.includes('/virtio_net.ko')));
  // What virtio_net needs, and nothing else.
  assert.ok(modules.length < 10, modules.join('\n'));
  // The distribution's own initramfs would be for nothing.
  const tree = execFileSync('tar', ['-tf', out('first.tar')], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  assert.match(tree, /^\.\/boot\/vmlinuz-/m);
  assert.doesNotMatch(tree, /boot\/initrd/);
  assert.doesNotMatch(tree, /tmp\/ram/);
});

test('it starts, finds its network, and runs the fragment of an element', async () => {
  await using machine = await bootKernel(out('first.kernel'), {
    initrd: out('first.initramfs'),
    append: 'console=ttyS0 quiet word=hello',
  });
  const said = await machine.waitFor(/end=of probe/);
  const facts = new Map(
    [...said.matchAll(/^(\w+)=(.*?)\r?$/gm)].map(([, key, value]) => [key, value]),
  );
  assert.deepEqual(Object.fromEntries(facts), {
    address: '10.0.2.15/255.255.255.0 via 10.0.2.2',
    parameter: 'hello',
    program: 'proc',
    file: 'the target',
    rule: 'null',
    modules: 'virtio_net',
    end: 'of probe',
  });
});

test('another choice of modules does not install Debian again', async () => {
  const explained = await rig.run('ramdisk-image-create', ['--explain', ...BUILD.args], {
    env: { ...BUILD.env, DIB_RAMDISK_MODULES: 'virtio_pci' },
  });
  assert.equal(explained.status, 0, explained.stderr);
  assert.match(explained.stdout, /^install +reused/m);
  assert.match(explained.stdout, /^post-install +runs .*DIB_RAMDISK_MODULES/m);
});

test('dracut makes one that runs the same fragments', async () => {
  const made = await rig.run(
    'ramdisk-image-create',
    ['-n', '--ramdisk-element', 'dracut-ramdisk', '-o', 'dracut', 'from-tar', 'probe'],
    { env: { ...BUILD.env, FROM_TAR: out('first.tar') } },
  );
  assert.equal(made.status, 0, (made.stdout + made.stderr).slice(-4000));
  assert.ok((await readFile(out('dracut.kernel'))).equals(await readFile(out('first.kernel'))));
  const names = namesIn(out('dracut.initramfs'));
  const wanted = [
    ...['init-func', 'udhcpc-script', 'from-the-target'],
    ...['usr/bin/findmnt', 'usr/bin/busybox', 'usr/bin/ip', 'usr/bin/bash'],
  ];
  for (const name of wanted) {
    assert.ok(names.includes(name), `${name} is in the initramfs`);
  }
  const [fragments] = names.filter((name) => /hooks\/pre-mount\/50.*init\.sh$/.test(name));
  assert.ok(fragments !== undefined, 'the fragments are a hook of dracut');
  const script = 'gzip --decompress --stdout "$1" | busybox cpio -i --to-stdout "$2" 2>/dev/null';
  const text = execFileSync('sh', ['-c', script, 'sh', out('dracut.initramfs'), fragments ?? ''], {
    encoding: 'utf8',
  });
  const parts = [...text.matchAll(/^# init fragment from (.+)$/gm)].map(([, name]) => name);
  assert.deepEqual(parts, [
    ...['00-override-troubleshoot', '05-link-busybox', '20-init-variables', '30-start-network'],
    ...['40-check-network-ready', '60-probe'],
  ]);
  assert.ok(names.some((name) => name.includes('/virtio_net.ko')));
});

test('an ordinary user makes the same one of the same tree, byte for byte', async () => {
  const user = await asOrdinaryUser(rig);
  const again = await rig.run(
    'ramdisk-image-create',
    ['-n', '--no-cache', '-o', 'second', 'from-tar', 'probe'],
    { ...user, env: { ...user.env, ...BUILD.env, FROM_TAR: out('first.tar') } },
  );
  assert.equal(again.status, 0, (again.stdout + again.stderr).slice(-4000));
  for (const product of ['initramfs', 'kernel']) {
    const [first, second] = await Promise.all([
      readFile(out(`first.${product}`)),
      readFile(out(`second.${product}`)),
    ]);
    assert.ok(first.equals(second), product);
  }
});

/** Runs a hook of the RAM disk's elements in a root whose programs are this machine's. */
async function runInTarget(
  name: string,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<TargetResult> {
  const shared = ['common-defaults', 'ramdisk-defaults', 'ramdisk-functions'].map(async (file) => [
    `tmp/ramdisk-build/${file}`,
    await readFile(path.join(ROOT, 'hooks/lib', file), 'utf8'),
  ]);
  await using target = await openTarget({
    ...Object.fromEntries(await Promise.all(shared)),
    'tmp/in_target.d/binary-deps.d/busybox': 'busybox\n',
    'etc/dib_binary_deps': 'busybox\n',
    'etc/dib_dracut_drivers': '\n',
    ...files,
  });
  return await target.tryHook(name, env);
}

const HOOK = 'ramdisk/post-install.d/99-build-ramdisk';
const KERNEL = { 'boot/vmlinuz-6.1-one': 'a kernel' };

const REFUSED: readonly {
  readonly claim: string;
  readonly hook: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly says: RegExp;
}[] = [
  {
    claim: 'a target without a kernel',
    hook: HOOK,
    says: /there is no kernel in \/boot; install one/,
  },
  {
    claim: 'dracut in a target without a kernel',
    hook: 'dracut-ramdisk/post-install.d/99-build-dracut-ramdisk',
    says: /there is no kernel in \/boot; install one/,
  },
  {
    claim: 'a version that no kernel has',
    hook: HOOK,
    files: KERNEL,
    env: { DIB_KERNEL_VERSION: '7.0' },
    says: /no kernel of the version '7\.0' in \/boot \(DIB_KERNEL_VERSION\)/,
  },
  {
    claim: 'a target without udev',
    hook: HOOK,
    files: KERNEL,
    env: { DIB_LIB_UDEV_ROOT: '/nowhere' },
    says: /no rules of udev in '\/nowhere\/lib\/udev'; install udev/,
  },
  {
    claim: 'programs that elements name and nobody has installed',
    hook: 'ramdisk-base/post-install.d/01-ensure-binaries',
    files: { 'tmp/in_target.d/binary-deps.d/mine': 'cat dhcplient\n\nmemtester' },
    says: /not found in PATH: 'dhcplient' \(binary-deps\.d\/mine\) 'memtester' \(binary-deps\.d\/mine\)/,
  },
];

for (const { claim, hook: name, files = {}, env = {}, says } of REFUSED) {
  test(`the hooks of a RAM disk refuse ${claim}`, async () => {
    const { status, stderr } = await runInTarget(name, files, env);
    assert.equal(status, 1, stderr);
    assert.match(stderr, says);
  });
}

test('populate_modules() refuses a module that the kernel does not have', async () => {
  await using target = await openTarget(
    {
      functions: await readFile(path.join(ROOT, 'hooks/lib/ramdisk-functions'), 'utf8'),
      'root/lib/modules/6.1/modules.builtin': '',
      'root/lib/modules/6.1/modules.order': '',
    },
    { modprobe: 'exit 1' },
  );
  const script = `#!/bin/bash
    set -eu -o pipefail
    source /functions
    TMP_MOUNT_PATH=/tmp KERNEL_VERSION=6.1 MODULE_ROOT=/root MODULE_DIR=/root/lib/modules/6.1
    populate_modules`;
  const { status, stderr } = await target.run(script, [], { DIB_RAMDISK_MODULES: 'virtio_neet' });
  assert.equal(status, 1);
  assert.match(stderr, /the kernel 6\.1 has no module 'virtio_neet' \(DIB_RAMDISK_MODULES\)/);
  assert.deepEqual(await target.calls(), [
    'modprobe --dirname /root --set-version 6.1 --show-depends virtio_neet',
  ]);
});
