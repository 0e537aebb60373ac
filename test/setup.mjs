/**
 * Brings a fresh clone on a bare Debian machine to where tests, demo and benchmarks can run: npm
 * packages, a current lib/, Debian packages. Plain Node, because it runs before anything is there.
 * Idempotent, and quick when there is nothing to do.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { installDebianPackages } from './setup-host.mjs';

/** The checkout. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What the tests and the demo call, and the Debian package that has it. */
export const TOOLS = [
  { tool: 'awk', package: 'mawk' },
  { tool: 'busybox', package: 'busybox' },
  { tool: 'bzip2', package: 'bzip2' },
  { tool: 'chroot', package: 'coreutils' },
  { tool: 'createrepo_c', package: 'createrepo-c' },
  { tool: 'curl', package: 'curl' },
  { tool: 'debootstrap', package: 'debootstrap' },
  { tool: 'dnf', package: 'dnf' },
  { tool: 'dockerd', package: 'docker.io' },
  { tool: 'e2fsck', package: 'e2fsprogs' },
  { tool: 'gpg', package: 'gnupg' },
  { tool: 'grub-mkconfig', package: 'grub-common' },
  { tool: 'gzip', package: 'gzip' },
  { tool: 'getcap', package: 'libcap2-bin' },
  { tool: 'getfattr', package: 'attr' },
  { tool: 'losetup', package: 'mount' },
  { tool: 'lvs', package: 'lvm2' },
  { tool: 'mcopy', package: 'mtools' },
  { tool: 'mke2fs', package: 'e2fsprogs' },
  { tool: 'mkfs.btrfs', package: 'btrfs-progs' },
  { tool: 'mkfs.xfs', package: 'xfsprogs' },
  { tool: 'mkfs.vfat', package: 'dosfstools' },
  { tool: 'mksquashfs', package: 'squashfs-tools' },
  { tool: 'mmdebstrap', package: 'mmdebstrap' },
  { tool: 'newuidmap', package: 'uidmap' },
  { tool: 'openssl', package: 'openssl' },
  { tool: 'pigz', package: 'pigz' },
  { tool: 'ps', package: 'procps' },
  { tool: 'qemu-img', package: 'qemu-utils' },
  { tool: 'qemu-system-x86_64', package: 'qemu-system-x86' },
  { tool: 'rpmbuild', package: 'rpm' },
  { tool: 'rsync', package: 'rsync' },
  { tool: 'setfacl', package: 'acl' },
  { tool: 'setfiles', package: 'policycoreutils' },
  { tool: 'setpriv', package: 'util-linux' },
  { tool: 'sfdisk', package: 'fdisk' },
  { tool: 'shellcheck', package: 'shellcheck' },
  { tool: 'shfmt', package: 'shfmt' },
  { tool: 'skopeo', package: 'skopeo' },
  { tool: 'ssh', package: 'openssh-client' },
  { tool: 'ssh-keygen', package: 'openssh-client' },
  { tool: 'sudo', package: 'sudo' },
  { tool: 'tar', package: 'tar' },
  { tool: 'umoci', package: 'umoci' },
  { tool: 'unshare', package: 'util-linux' },
  { tool: 'xorriso', package: 'xorriso' },
  { tool: 'xz', package: 'xz-utils' },
  { tool: 'zstd', package: 'zstd' },
];

/** Files rather than tools. */
export const FILES = [
  // What ours is compared with.
  { file: '/usr/bin/disk-image-create', package: 'python3-diskimage-builder' },
  {
    file: '/usr/share/keyrings/debian-archive-keyring.gpg',
    package: 'debian-archive-keyring',
  },
  { file: '/usr/lib/grub/i386-pc/boot.img', package: 'grub-pc-bin' },
  { file: '/usr/lib/grub/x86_64-efi/normal.mod', package: 'grub-efi-amd64-bin' },
  { file: '/usr/share/ovmf/OVMF.fd', package: 'ovmf' },
];

/**
 * Sets everything up, or ends the process: 1 when a step failed, 3 when the host lacks something
 * that only its administrator can install.
 */
export function setup(extraTools = []) {
  installNpmPackages();
  build();
  const missing = [
    ...[...TOOLS, ...extraTools].filter(({ tool }) => findTool(tool) === undefined),
    ...FILES.filter(({ file }) => !existsSync(file)),
  ];
  installDebianPackages([...new Set(missing.map((row) => row.package))].sort());
}

/** Runs a command in the checkout with our own standard streams; ends the process when it fails. */
export function run(argv, options = {}) {
  const [file, ...args] = argv;
  const result = spawnSync(file, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.status !== 0) {
    console.error(`'${argv.join(' ')}' failed: ${result.error?.message ?? result.status}`);
    process.exit(1);
  }
}

/** The path of a tool on PATH or in the administrator's directories, else undefined. */
export function findTool(tool) {
  const dirs = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return dirs
    .filter((dir) => dir !== '')
    .map((dir) => path.join(dir, tool))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function installNpmPackages() {
  // npm writes this file last.
  const installed = path.join(root, 'node_modules/.package-lock.json');
  const wanted = path.join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) {
    return;
  }
  say('Installing npm packages');
  run(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}

function build() {
  run([process.execPath, path.join(root, 'node_modules/typescript/bin/tsc'), '--build']);
  removeOrphans(path.join(root, 'lib'), path.join(root, 'src'));
  run([process.execPath, path.join(root, 'scripts/bundle.mjs')]);
}

/** Hidden files, and the commands, which scripts/bundle.mjs brings up to date. */
const KEPT = /^\.|^program$/;

/** Removes what was compiled from sources that are gone: tests must not pass thanks to those. */
function removeOrphans(compiled, sources) {
  for (const entry of readdirSync(compiled, { withFileTypes: true })) {
    const file = path.join(compiled, entry.name);
    if (entry.isDirectory() && existsSync(path.join(sources, entry.name))) {
      removeOrphans(file, path.join(sources, entry.name));
    } else if (!KEPT.test(entry.name) && !hasSource(entry, sources)) {
      rmSync(file, { recursive: true });
    }
  }
}

function hasSource(entry, sources) {
  const source = entry.name.replace(/(\.d)?\.(ts|js)$/, '.ts');
  return existsSync(path.join(sources, source));
}

/** One line about what is going on, for people. */
export function say(text) {
  console.log(`== ${text}`);
}

/** The command that runs `npm run NAME` as root with the same Node, for those who are not. */
export function asRoot(script) {
  return `sudo env "PATH=$PATH" npm ${script}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  setup();
}
