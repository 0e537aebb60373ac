/** Container images as files: what `docker save` and skopeo's docker-archive write. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, link, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Workshop } from './workshop.ts';

export interface DockerArchive {
  /** Of the image, for example openeuler-22.03-lts. */
  readonly name: string;
  readonly architecture: 'amd64' | 'arm64';
  /** Directories, the lowest layer first. */
  readonly layers: readonly string[];
  /** The `.tar.xz` to write; its `.sha256sum` is written beside it. */
  readonly output: string;
}

const CREATED = '2022-03-30T15:17:30Z';

/**
 * Writes an image in the layout of openEuler's: layers as `SHA256.tar`, a link `ID/layer.tar` to each.
 *
 * Source: measured on what skopeo 1.9.3 writes; see openEuler's make_docker_image.sh, which calls it.
 */
export async function writeDockerArchive(workshop: Workshop, image: DockerArchive): Promise<void> {
  const dir = `${image.output}.dir`;
  await mkdir(dir, { recursive: true });
  const members: string[] = [];
  const sums: string[] = [];
  for (const layer of image.layers) {
    const sum = await packLayer(workshop, layer, dir);
    sums.push(sum);
    members.push(`${sum}.tar`, ...(await describeLayer(dir, sum, sums.at(-2))));
  }
  members.push(...(await describeImage(dir, image, sums)));
  const options = ['--no-recursion', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0'];
  // Quick rather than small: it is read a few times. A third of the time of `xz -1`.
  const quick = ['--threads=0', '--lzma2=preset=0,dict=64KiB,nice=32,depth=1'];
  await workshop.run`tar --create ${options} --directory ${dir} ${members} | xz ${quick} >${image.output}`;
  await rm(dir, { recursive: true });
  await writeSum(image.output);
}

/** Writes `FILE.sha256sum`, in sha256sum(1)'s words. */
export async function writeSum(file: string): Promise<void> {
  await writeFile(`${file}.sha256sum`, `${await sha256(file)}  ${path.basename(file)}\n`);
}

async function packLayer(workshop: Workshop, layer: string, dir: string): Promise<string> {
  const packed = path.join(dir, 'layer');
  // Names are relative without ./; the first is a single dot.
  const names = ['--transform', 'flags=rhS;s,^\\./,,', '--sort=name'];
  await workshop.run`tar --create ${names} --numeric-owner --file ${packed} --directory ${layer} .`;
  await chmod(packed, 0o444);
  const sum = await sha256(packed);
  await rename(packed, path.join(dir, `${sum}.tar`));
  return sum;
}

async function describeLayer(dir: string, sum: string, parent?: string): Promise<string[]> {
  const id = legacyId(sum);
  await mkdir(path.join(dir, id));
  await symlink(`../${sum}.tar`, path.join(dir, id, 'layer.tar'));
  await writeFile(path.join(dir, id, 'VERSION'), '1.0');
  const json = {
    id,
    ...(parent === undefined ? {} : { parent: legacyId(parent) }),
    created: CREATED,
  };
  await writeFile(path.join(dir, id, 'json'), JSON.stringify(json));
  return [`${id}/`, `${id}/layer.tar`, `${id}/VERSION`, `${id}/json`];
}

async function describeImage(
  dir: string,
  image: DockerArchive,
  sums: readonly string[],
): Promise<string[]> {
  const config = JSON.stringify({
    created: CREATED,
    architecture: image.architecture,
    os: 'linux',
    config: { Cmd: ['/bin/bash'] },
    rootfs: { type: 'layers', diff_ids: sums.map((sum) => `sha256:${sum}`) },
    history: sums.map(() => ({ created: CREATED, created_by: 'stand-in for openEuler' })),
  });
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`;
  const repository = `docker.io/library/${image.name}`;
  const manifest = {
    Config: configName,
    RepoTags: [`${repository}:latest`],
    Layers: sums.map((sum) => `${sum}.tar`),
  };
  const latest = legacyId(sums.at(-1) ?? '');
  await writeFile(path.join(dir, configName), config);
  await writeFile(path.join(dir, 'manifest.json'), JSON.stringify([manifest]));
  await writeFile(path.join(dir, 'repositories'), JSON.stringify({ [repository]: { latest } }));
  return [configName, 'manifest.json', 'repositories'];
}

function legacyId(sum: string): string {
  return createHash('sha256').update(`legacy ${sum}`).digest('hex');
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

/** Makes `to` another name of the file `from`, or of all files of a directory. */
export async function linkFiles(files: readonly string[], dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const file of files) {
    const target = path.join(dir, path.basename(file));
    if ((await stat(target).catch(() => undefined)) === undefined) {
      await link(file, target);
    }
  }
}
