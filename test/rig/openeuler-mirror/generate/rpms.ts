/** Makes the RPMs and signs them. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fetchDebs } from './debs.ts';
import { makeEfiFiles } from './efi.ts';
import { PER_RELEASE, RPMS, type RpmRow } from './packages.ts';
import { type PlannedRpm, planRpms } from './plan.ts';
import { latestFiles, type Release, releaseFiles, repoFile, type TextFiles } from './release.ts';
import { type Rpm, type RpmFile, renderSpec } from './spec.ts';
import { addOwnFiles, chooseFiles, makeTree, unpackDeb, writeInto } from './tree.ts';
import { inParallel, type Workshop } from './workshop.ts';

const SHARED_RELEASE = '1.oe2203';
const KEY_FILE = '/etc/pki/rpm-gpg/RPM-GPG-KEY-openEuler';

/** The RPMs that are the same in every release: their directory. */
export async function makeSharedRpms(workshop: Workshop): Promise<string> {
  workshop.say('downloading Debian packages');
  const debs = await fetchDebs(workshop);
  workshop.say(`unpacking ${debs.length} of them`);
  const tree = await makeTree(workshop);
  const planned = planRpms(debs).filter(({ name }) => !PER_RELEASE.has(name));
  const filled = await inParallel(planned, (rpm) => fill(workshop, tree, rpm));
  const efi = await makeEfiFiles(workshop, tree);
  const rpms = filled.map((rpm) => ({
    ...rpm,
    files: [...rpm.files, ...(efi.get(rpm.name) ?? [])],
  }));
  workshop.say(`building ${rpms.length} RPMs`);
  return await buildRpms(workshop, { name: 'shared', tree, rpms });
}

/** The RPMs that name the release: their directory. */
export async function makeReleaseRpms(
  workshop: Workshop,
  release: Release,
  publicKey: string,
): Promise<string> {
  const tree = path.join(workshop.dir, `tree-${release.name}`);
  const make = async (name: string, texts: TextFiles, more: Partial<Rpm> = {}): Promise<Rpm> => {
    const row: RpmRow = RPMS[name] ?? {};
    return {
      ...emptyRpm(name),
      release: `1.${release.dist}`,
      requires: ['filesystem', ...(row.requires ?? [])],
      files: await addOwnFiles(tree, { name, row, texts }),
      ...more,
    };
  };
  const { releasever } = release;
  const rpms = [
    await make('setup', {}),
    await make('openEuler-gpg-keys', { [KEY_FILE]: publicKey }),
    await make('openEuler-latest-release', latestFiles(release), { version: releasever }),
    await make(
      'openEuler-repos',
      { '/etc/yum.repos.d/openEuler.repo': repoFile(release) },
      { version: releasever, requires: ['filesystem', 'openEuler-gpg-keys'] },
    ),
    await make('openEuler-release', releaseFiles(release), {
      version: releasever,
      requires: ['filesystem', 'openEuler-repos', 'openEuler-gpg-keys'],
      provides: [`system-release = ${releasever}`, `system-release(releasever) = ${releasever}`],
    }),
  ];
  await addTimeout(tree, release);
  return await buildRpms(workshop, { name: release.name, tree, rpms });
}

/** A newer basesystem: what an update repository has. */
export async function makeUpdateRpm(workshop: Workshop): Promise<string> {
  const tree = path.join(workshop.dir, 'tree-update');
  const name = '/usr/lib/openeuler-stand-in-update';
  await writeInto(tree, name, 'From the repository update.\n');
  const rpm: Rpm = {
    ...emptyRpm('basesystem'),
    version: '2.0',
    requires: ['filesystem', 'setup'],
    files: [{ path: name, kind: 'file' }],
  };
  return await buildRpms(workshop, { name: 'update', tree, rpms: [rpm] });
}

/** Makes a key without a passphrase; its public half. */
export async function makeKey(workshop: Workshop, user: string): Promise<string> {
  await workshop.run`gpg --batch --quiet --pinentry-mode loopback --passphrase ${''} --quick-generate-key ${user} rsa2048 sign never`;
  return (await workshop.run`gpg --batch --armor --export ${`=${user}`}`).stdout;
}

/** Signs RPMs in place. */
export async function signRpms(
  workshop: Workshop,
  user: string,
  files: readonly string[],
): Promise<void> {
  // Debian's rpm looks for gpg2.
  const defines = ['--define', '__gpg /usr/bin/gpg', '--define', `_gpg_name ${user}`];
  const half = Math.ceil(files.length / 2);
  await inParallel([files.slice(0, half), files.slice(half)], async (some) => {
    if (some.length > 0) {
      await workshop.run`rpmsign ${defines} --addsign ${some}`;
    }
  });
}

/** The RPMs below a directory, sorted. */
export async function listRpms(dir: string): Promise<string[]> {
  const names = await readdir(dir);
  return names
    .filter((name) => name.endsWith('.rpm'))
    .sort()
    .map((name) => path.join(dir, name));
}

async function fill(workshop: Workshop, tree: string, planned: PlannedRpm): Promise<Rpm> {
  const { name, row, kernel } = planned;
  const unpacked: string[] = [];
  for (const deb of planned.debs) {
    unpacked.push(...(await unpackDeb(workshop, tree, deb)));
  }
  const texts = name === 'ca-certificates' ? await bundleCertificates(tree, unpacked) : {};
  const own = await addOwnFiles(tree, { name, row, texts });
  const more = kernel === undefined ? [] : [await ghostInitramfs(tree, kernel)];
  const taken = new Set(own.map((file) => file.path));
  const theirs = chooseFiles(unpacked, row.drop ?? []).filter((file) => !taken.has(file.path));
  const withAttr = theirs.map((file): RpmFile => {
    const attr = row.attr?.[file.path];
    return attr === undefined ? file : { ...file, attr };
  });
  return {
    ...emptyRpm(name),
    version: planned.version,
    noarch: planned.debs.length === 0,
    requires: planned.requires,
    provides: row.provides ?? [],
    post: postScript(row, kernel),
    posttrans: kernelScript(kernel, '--mkinitrd --dracut --depmod --update'),
    files: [...withAttr, ...own, ...more],
  };
}

function emptyRpm(name: string): Rpm {
  const text = { release: SHARED_RELEASE, version: '1.0', post: '', posttrans: '' };
  return { name, ...text, noarch: true, requires: [], provides: [], files: [] };
}

function postScript(row: RpmRow, kernel: string | undefined): string {
  const units = (row.units ?? []).join(' ');
  const preset =
    units === ''
      ? ''
      : `if [ "$1" -eq 1 ]; then systemctl --no-reload preset ${units} >/dev/null 2>&1 || :; fi`;
  return [row.post ?? '', preset, kernelScript(kernel, '--install')]
    .filter((text) => text !== '')
    .join('\n');
}

function kernelScript(kernel: string | undefined, words: string): string {
  return kernel === undefined
    ? ''
    : `/usr/sbin/new-kernel-pkg --package kernel ${words} ${kernel} || exit $?`;
}

/** The package owns the initramfs that its scriptlet makes. */
async function ghostInitramfs(tree: string, kernel: string): Promise<RpmFile> {
  const name = `/boot/initramfs-${kernel}.img`;
  await writeInto(tree, name, '');
  return { path: name, kind: 'ghost' };
}

/** What Debian's package does when it is installed. */
async function bundleCertificates(tree: string, names: readonly string[]): Promise<TextFiles> {
  const certificates = names.filter((name) => name.endsWith('.crt')).sort();
  const texts = await Promise.all(
    certificates.map((name) => readFile(path.join(tree, name), 'utf8')),
  );
  const bundle = texts.join('');
  return {
    '/etc/pki/tls/certs/ca-bundle.crt': bundle,
    '/etc/ssl/certs/ca-certificates.crt': bundle,
  };
}

/** Older containers log idle shells out after five minutes. */
async function addTimeout(tree: string, release: Release): Promise<void> {
  if (release.hasTimeout) {
    const file = path.join(tree, 'etc/bashrc');
    await writeFile(file, `${await readFile(file, 'utf8')}export TMOUT=300\n`);
  }
}

/** Has rpmbuild write RPMs of what already lies in a tree; the directory where they are. */
async function buildRpms(
  workshop: Workshop,
  job: { readonly name: string; readonly tree: string; readonly rpms: readonly Rpm[] },
): Promise<string> {
  const top = path.join(workshop.dir, `rpmbuild-${job.name}`);
  await mkdir(top);
  const spec = path.join(top, 'stand-in.spec');
  await writeFile(spec, renderSpec(job.rpms));
  const defines = {
    _topdir: top,
    _dbpath: path.join(top, 'db'),
    _rpmdir: path.join(top, 'rpms'),
    _rpmfilename: '%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
    _binary_payload: 'w3.zstdio',
    _build_id_links: 'none',
    _unpackaged_files_terminate_build: '0',
    debug_package: '%{nil}',
    // The tree is complete: nothing may empty it before, change it after, or search it.
    __spec_install_pre: '%{___build_pre}',
    __spec_install_post: '%{nil}',
    __check_files: '%{nil}',
  };
  const words = Object.entries(defines).flatMap(([name, body]) => ['--define', `${name} ${body}`]);
  const target = ['--target', 'x86_64-linux', '--buildroot', job.tree];
  await workshop.run`rpmbuild -bb --quiet --nodeps --noclean ${words} ${target} ${spec}`;
  return path.join(top, 'rpms');
}
