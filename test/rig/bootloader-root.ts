/**
 * A root in which the hook of the element bootloader runs with this machine's GRUB: /usr is this
 * machine's, /etc and /boot are made up.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const ELEMENT = path.resolve(
  path.dirname(fileURLToPath(import.meta.url)),
  '../../elements/bootloader',
);
/** The file of the kernel in /boot. */
export const KERNEL = 'vmlinuz-6.1.0-test';
export const ROOT_UUID = '11111111-2222-3333-4444-555555555555';
export const BOOT_UUID = '66666666-7777-8888-9999-000000000000';

const DISK = {
  ARCH: 'amd64',
  DIB_BLOCK_DEVICE: 'mbr',
  DIB_BOOTLOADER_DEFAULT_CMDLINE: 'nofb',
  DIB_BOOT_LABEL: '',
  DIB_BOOT_UUID: '',
  DIB_MOUNTPOINTS: '/',
  DIB_ROOT_FSTYPE: 'ext4',
  DIB_ROOT_LABEL: 'cloudimg-rootfs',
  DIB_ROOT_UUID: ROOT_UUID,
};

/** Records how it was called, in /calls. */
const STUB = '#!/bin/sh\n{ echo "$(basename "$0") $*"; [ -t 0 ] || cat; } >>/calls\n';

/** Makes the root, for as long as the test runs. */
export function makeRoot(context: TestContext): string {
  const root = mkdtempSync(path.join(tmpdir(), 'dibkit-bootloader-'));
  context.after(() => rmSync(root, { recursive: true }));
  for (const dir of ['usr', 'dev', 'proc', 'boot', 'tmp', 'stubs', 'hook', 'etc/default']) {
    mkdirSync(path.join(root, dir), { recursive: true });
  }
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) {
    symlinkSync(`usr/${dir}`, path.join(root, dir));
  }
  for (const name of ['install-packages', 'debconf-set-selections']) {
    writeFileSync(path.join(root, 'stubs', name), STUB, { mode: 0o755 });
  }
  cpSync('/etc/grub.d', path.join(root, 'etc/grub.d'), { recursive: true });
  cpSync(path.join(ELEMENT, 'finalise.d/50-bootloader'), path.join(root, 'hook/50-bootloader'));
  for (const name of [KERNEL, 'initrd.img-6.1.0-test']) {
    writeFileSync(path.join(root, 'boot', name), '');
  }
  return root;
}

export interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
  /** A file of the root, '' when it is not there. */
  read(name: string): string;
}

/**
 * Runs the hook with the variables of a disk with an MBR, and with these changes. `grub` has GRUB's
 * platforms; by default they are this machine's.
 */
export function runHook(
  root: string,
  changes: Readonly<Record<string, string | undefined>>,
  grub = '/usr/lib/grub',
): Outcome {
  const env = Object.entries({ ...DISK, ...changes }).filter(([, value]) => value !== undefined);
  const script = `
    set -eu
    root=$1 grub=$2
    shift 2
    mount --rbind /usr "$root/usr"
    mount --bind "$grub" "$root/usr/lib/grub"
    mount --rbind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    # Only ours: mounts of others go when they remove the directory that those are on.
    before=$(grep -c " $root" /proc/self/mountinfo)
    status=0
    chroot "$root" /usr/bin/env -i PATH=/stubs:/usr/sbin:/usr/bin LC_ALL=C "$@" \
      /hook/50-bootloader </dev/null >/dev/null || status=$?
    [ "$(grep -c " $root" /proc/self/mountinfo)" = "$before" ] || { echo 'a mount is left' >&2; exit 99; }
    exit "$status"`;
  const told = spawnSync(
    'unshare',
    [
      ...['--mount', '--propagation', 'private', '--pid', '--fork', 'sh', '-c', script],
      ...['sh', root, grub],
      ...env.map(([name, value]) => `${name}=${value}`),
    ],
    { encoding: 'utf8' },
  );
  return {
    status: told.status,
    stderr: told.stderr,
    read: (name) => {
      const file = path.join(root, name);
      return existsSync(file) ? readFileSync(file, 'utf8') : '';
    },
  };
}

/** The first `linux` line of grub.cfg. */
export function kernelLine(outcome: Outcome): string {
  return /^\s*linux\s+(.*?)\s*$/m.exec(outcome.read('boot/grub/grub.cfg'))?.[1] ?? '';
}

export function assertDone(outcome: Outcome): void {
  assert.equal(outcome.status, 0, outcome.stderr);
}
