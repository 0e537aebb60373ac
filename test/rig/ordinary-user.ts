/**
 * An ordinary user for the commands of a rig, and a container-like place for them to run in.
 *
 * The machine's own users stay as they are: the commands run in a mount namespace in which the user
 * is in /etc/passwd, and may or may not have ids of her own in /etc/subuid. They see the checkout and
 * Node at places that anybody can read, wherever those really are.
 */
import { chmod, chown, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Rig, RunOptions } from './rig.ts';

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

export const USER = { name: 'ordinary', uid: 54_321 } as const;
/** The first of her ids: what an image calls 33 is this plus 32. */
export const FIRST_ID = 2_000_000_000;

export interface UserOptions {
  /** How many ids she has in /etc/subuid and /etc/subgid; 0: no line at all. Default: 65536. */
  readonly ids?: number;
  /** Tools that she must not find. */
  readonly hidden?: readonly string[];
  /** A shell command as root, in the namespace, right before she gets it. */
  readonly before?: string;
  /** Runs her in a container-like place: see `CONTAINER`. */
  readonly container?: boolean;
}

/**
 * What an unprivileged container is: a root on an overlay, a small /dev without loop devices and KVM,
 * a home that cannot be written, and no more capabilities than it takes to become another user.
 */
const CONTAINER = `
mkdir -p "$work/container"
mount -t tmpfs tmpfs "$work/container"
mkdir "$work/container/root" "$work/container/upper" "$work/container/work"
mount -t overlay -o "lowerdir=/,upperdir=$work/container/upper,workdir=$work/container/work" overlay "$work/container/root"
root=$work/container/root
for each in /proc /sys; do
    mount --rbind "$each" "$root$each"
done
rig=$(dirname "$work")
for each in "$rig" "$work/checkout" "$work/node"; do
    mount --bind "$each" "$root$each"
done
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for each in null zero full random urandom tty; do
    : >"$root/dev/$each"
    mount --bind "/dev/$each" "$root/dev/$each"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for each in passwd group subuid subgid; do
    mount --bind "$work/etc/$each" "$root/etc/$each"
done
mount --bind "$home" "$root$home"
mount -o remount,bind,ro "$root$home"
mkdir -m 1777 "$root/var/tmp/build" "$root/old"
cd "$root"
pivot_root . old
umount --lazy /old
cd "$directory"
# A setuid newuidmap would need the capability that a container lacks.
chmod u-s "$(command -v newuidmap)" "$(command -v newgidmap)"
setcap cap_setuid+ep "$(command -v newuidmap)"
setcap cap_setgid+ep "$(command -v newgidmap)"
drop="--bounding-set=-sys_admin,-mknod,-sys_ptrace,-net_admin,-sys_module,-dac_read_search"
`;

/** On the container's root, as everything is that no volume is for. */
const CONTAINER_PLACES = { TMPDIR: '/var/tmp/build', DIB_IMAGE_CACHE: '/var/tmp/build/cache' };

const LAUNCHER = `
set -eu
checkout=$1 work=$2 home=$3 user=$4 before=$5 container=$6 hidden=$7 node=$8
shift 8
directory=$PWD
drop=
mount --bind "$checkout" "$work/checkout"
mount --bind "$node" "$work/node"
for each in passwd group subuid subgid; do
    mount --bind "$work/etc/$each" "/etc/$each"
done
for each in $hidden; do
    mount --bind "$work/nothing" "$(command -v "$each")"
done
eval "$container"
command=$work/checkout/\${2#"$checkout"/}
shift 2
if [ "\${1-}" = --events ]; then
    chown "$user:$user" "$2"
fi
eval "$before"
exec setpriv $drop --reuid "$user" --regid "$user" --init-groups -- "$work/node" "$command" "$@"
`;

/** What `rig.run` takes so that the ordinary user runs the command. Call once per rig and kind. */
export async function asOrdinaryUser(rig: Rig, options: UserOptions = {}): Promise<RunOptions> {
  const work = path.join(rig.dir, 'user');
  await mkdir(path.join(work, 'etc'), { recursive: true });
  await mkdir(path.join(work, 'checkout'), { recursive: true });
  await Promise.all(['node', 'nothing'].map((name) => writeFile(path.join(work, name), '')));
  await writeEtc(path.join(work, 'etc'), rig, options.ids ?? 65_536);
  await chmod(rig.dir, 0o755);
  for (const directory of [rig.dir, rig.tmp, rig.out, rig.cache, rig.home]) {
    await chown(directory, USER.uid, USER.uid);
  }
  const inside = path.join(work, 'checkout');
  return {
    through: [
      ...['unshare', '--mount', '--propagation', 'private', 'bash', '-c', LAUNCHER, 'launcher'],
      ...[ROOT, work, rig.home, String(USER.uid), options.before ?? ''],
      ...[options.container === true ? CONTAINER : '', (options.hidden ?? []).join(' ')],
      process.execPath,
    ],
    env: {
      USER: USER.name,
      LOGNAME: USER.name,
      ELEMENTS_PATH: `${rig.elements}:${path.join(inside, 'test/rig/elements')}`,
      ...(options.container === true ? CONTAINER_PLACES : {}),
    },
  };
}

async function writeEtc(etc: string, rig: Rig, ids: number): Promise<void> {
  const { name, uid } = USER;
  for (const [file, line] of [
    ['passwd', `${name}:x:${uid}:${uid}::${rig.home}:/bin/bash`],
    ['group', `${name}:x:${uid}:`],
  ] as const) {
    await copyFile(path.join('/etc', file), path.join(etc, file));
    await writeFile(path.join(etc, file), `${line}\n`, { flag: 'a' });
  }
  for (const file of ['subuid', 'subgid']) {
    const others = await readFile(path.join('/etc', file), 'utf8').catch(() => '');
    // What is bound there must exist there.
    await writeFile(path.join('/etc', file), '', { flag: 'a' });
    const own = ids === 0 ? '' : `${name}:${FIRST_ID}:${ids}\n`;
    await writeFile(path.join(etc, file), others + own);
  }
}
