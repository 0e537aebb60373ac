/** Makes the whole mirror. */
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeContainer } from './container.ts';
import { linkFiles, writeDockerArchive } from './docker-archive.ts';
import { ONLY_IN_EPOL, ONLY_IN_EVERYTHING } from './packages.ts';
import { RELEASES, type Release } from './release.ts';
import {
  listRpms,
  makeKey,
  makeReleaseRpms,
  makeSharedRpms,
  makeUpdateRpm,
  signRpms,
} from './rpms.ts';
import { inParallel, openWorkshop, type Workshop } from './workshop.ts';

const KEY_NAME = 'RPM-GPG-KEY-openEuler';
const OWN_USER = 'Stand-in for openEuler <own@stand-in.example>';
const STRANGER = 'Stranger <stranger@stand-in.example>';
/** Dated rebuilds of the container, and the link to the newest. */
const UPDATE_DATE = '2023-09-09';

/** What all releases share. */
interface Stock {
  readonly key: string;
  readonly shared: readonly string[];
}

/**
 * Makes the mirror in `output`, which must not be there yet: `www/openEuler-RELEASE/...` is what a
 * mirror serves; `variants/` has what broken mirrors serve instead. One at a
 * time for each output: what an earlier call that was killed left is removed.
 */
export async function generateMirror(output: string, say: (text: string) => void): Promise<void> {
  const dir = `${output}.making`;
  await rm(dir, { recursive: true, force: true });
  const workshop = await openWorkshop(dir, say);
  try {
    await fillMirror(workshop);
    // Links to the same files: what stays is the mirror alone.
    await rename(path.join(dir, 'mirror'), output);
  } finally {
    await workshop.run`gpgconf --kill all`.nothrow();
    await rm(dir, { recursive: true, force: true });
  }
}

async function fillMirror(workshop: Workshop): Promise<void> {
  const key = await makeKey(workshop, OWN_USER);
  const [shared, ...releaseDirs] = await Promise.all([
    makeSharedRpms(workshop),
    ...RELEASES.map((release) => makeReleaseRpms(workshop, release, key)),
  ]);
  const own = await Promise.all(releaseDirs.map(listRpms));
  const stock: Stock = { key, shared: await listRpms(shared) };
  workshop.say('signing');
  await signRpms(workshop, OWN_USER, [...stock.shared, ...own.flat()]);
  workshop.say('making repositories and containers');
  await inParallel(
    RELEASES.map((release, index) => ({ release, rpms: own[index] ?? [] })),
    ({ release, rpms }) => makeRelease(workshop, stock, { release, rpms }),
  );
  await makeVariants(workshop);
}

async function makeRelease(
  workshop: Workshop,
  stock: Stock,
  own: { readonly release: Release; readonly rpms: readonly string[] },
): Promise<void> {
  const { release } = own;
  const dir = path.join(workshop.dir, 'mirror/www', `openEuler-${release.name}`);
  const rpms = [...stock.shared, ...own.rpms];
  const inEverything = rpms.filter((file) => !ONLY_IN_EPOL.has(rpmName(file)));
  const inOs = inEverything.filter((file) => !ONLY_IN_EVERYTHING.has(rpmName(file)));
  const inEpol = rpms.filter((file) => ONLY_IN_EPOL.has(rpmName(file)));
  const repositories: [string, readonly string[]][] = [
    ['OS/x86_64', inOs],
    ['everything/x86_64', inEverything],
    ['EPOL/main/x86_64', inEpol],
    ...['update/x86_64', 'EPOL/update/main/x86_64', 'update/source'].map(
      (name): [string, string[]] => [name, []],
    ),
    // Nothing to install, but the layout.
    ...['OS', 'everything', 'EPOL/main', 'update', 'EPOL/update/main'].map(
      (name): [string, string[]] => [`${name}/aarch64`, []],
    ),
  ];
  await inParallel(repositories, async ([name, files]) => {
    await makeRepository(workshop, path.join(dir, name), files);
  });
  for (const name of ['OS', 'everything'].flatMap((id) => [`${id}/x86_64`, `${id}/aarch64`])) {
    await writeFile(path.join(dir, name, KEY_NAME), stock.key);
  }
  await makeImages(workshop, dir, release);
}

async function makeImages(workshop: Workshop, dir: string, release: Release): Promise<void> {
  const root = await makeContainer(workshop, release, path.join(dir, 'OS/x86_64'));
  const images = path.join(dir, 'docker_img');
  const name = `openeuler-${release.name.toLowerCase()}`;
  const output = (arch: string): string =>
    path.join(images, arch, `openEuler-docker.${arch}.tar.xz`);
  await writeDockerArchive(workshop, {
    ...{ name, architecture: 'amd64' },
    layers: [root],
    output: output('x86_64'),
  });
  const hollow = path.join(workshop.dir, `hollow-${release.name}`);
  await mkdir(path.join(hollow, 'etc'), { recursive: true });
  await workshop.run`cp ${path.join(root, 'usr/lib/os-release')} ${path.join(root, 'etc/openEuler-release')} ${path.join(hollow, 'etc')}`;
  await writeDockerArchive(workshop, {
    ...{ name, architecture: 'arm64' },
    layers: [hollow],
    output: output('aarch64'),
  });
  for (const arch of ['x86_64', 'aarch64']) {
    const file = output(arch);
    await linkFiles([file, `${file}.sha256sum`], path.join(images, 'update', UPDATE_DATE, arch));
  }
  await symlink(UPDATE_DATE, path.join(images, 'update/current'));
}

/** What a test's mirror serves in the place of its update repository. */
async function makeVariants(workshop: Workshop): Promise<void> {
  const [rpm] = await listRpms(await makeUpdateRpm(workshop));
  await makeKey(workshop, STRANGER);
  for (const [name, user] of [
    ['update-newer', OWN_USER],
    ['update-stranger', STRANGER],
  ] as const) {
    const dir = path.join(workshop.dir, 'mirror/variants', name);
    await mkdir(path.join(dir, 'Packages'), { recursive: true });
    await workshop.run`cp ${rpm ?? ''} ${path.join(dir, 'Packages')}`;
    await signRpms(workshop, user, await listRpms(path.join(dir, 'Packages')));
    await makeRepository(workshop, dir, []);
  }
}

async function makeRepository(
  workshop: Workshop,
  dir: string,
  files: readonly string[],
): Promise<void> {
  await mkdir(path.join(dir, 'Packages'), { recursive: true });
  await linkFiles(files, path.join(dir, 'Packages'));
  await workshop.run`createrepo_c --quiet --no-database --workers 2 ${dir}`;
}

function rpmName(file: string): string {
  return path.basename(file).replace(/-[^-]+-[^-]+$/, '');
}
