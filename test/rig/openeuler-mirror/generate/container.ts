/** The root file system of a release's container. */
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { IN_CONTAINER } from './packages.ts';
import type { Release } from './release.ts';
import type { Workshop } from './workshop.ts';

/** What openEuler's images.sh removes after the packages are in. */
const REMOVED = [
  'etc/machine-id',
  'etc/ld.so.cache',
  ...['usr/share/doc', 'usr/share/info', 'usr/share/man', 'usr/share/mime'],
  ...['boot', 'dev', 'proc', 'run', 'sys', 'tmp'],
  ...['var/cache/dnf', 'var/cache/ldconfig', 'var/cache/yum', 'var/lib/dnf', 'var/log'],
];
/** Left empty. */
const EMPTY = ['dev', 'proc', 'run', 'sys', 'tmp', 'var/lib/dnf', 'var/log'];

/**
 * Installs the container's packages from a repository; the directory where. As openEuler's own are
 * made, without a look at signatures: no key is known to the container's rpm.
 */
export async function makeContainer(
  workshop: Workshop,
  release: Release,
  repository: string,
): Promise<string> {
  const root = path.join(workshop.dir, `root-${release.name}`);
  const config = path.join(workshop.dir, `dnf-${release.name}.conf`);
  await writeFile(
    config,
    [
      ...['[main]', 'gpgcheck=0', 'best=True', 'install_weak_deps=False', 'plugins=False'],
      ...['skip_if_unavailable=False', 'reposdir=/nowhere', 'cachedir=/var/cache/dnf'],
      ...[`[OS]`, 'name=OS', `baseurl=file://${repository}`, ''],
    ].join('\n'),
  );
  const words = ['--config', config, '--installroot', root, '--releasever', release.releasever];
  await workshop.run`dnf --assumeyes --quiet ${words} install ${IN_CONTAINER}`;
  await tidy(root);
  return root;
}

async function tidy(root: string): Promise<void> {
  for (const name of REMOVED) {
    await rm(path.join(root, name), { recursive: true, force: true });
  }
  for (const name of EMPTY) {
    await mkdir(path.join(root, name));
    // mkdir's mode would be subject to the umask.
    await chmod(path.join(root, name), name === 'tmp' ? 0o1777 : 0o755);
  }
  await writeFile(
    path.join(root, 'etc/EulerLinux.conf'),
    'eulerversion=stand-in\ncompiletime=2022-03-30-15-17-30\n',
  );
  await rm(path.join(root, 'etc/localtime'), { force: true });
  await symlink('../usr/share/zoneinfo/Asia/Shanghai', path.join(root, 'etc/localtime'));
}
