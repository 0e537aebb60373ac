/**
 * What is in the archive of a container image, as `docker save` and `skopeo copy docker-archive:`
 * write it. Pure. Layouts, all of which are read:
 *
 *     manifest.json        names one config and the layers, lowest first; each layer is
 *       <digest>.tar       a file (skopeo),
 *       <id>/layer.tar     a file, or a link to another layer (docker before 25),
 *       blobs/sha256/...   a file (docker 25 and newer)
 *     no manifest.json     the one *.tar at the top that is not layer.tar, else the one ID/layer.tar
 *
 * Source: moby image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format"; measured with
 * skopeo 1.9.3; openEuler's own download.sh for the last row.
 */
import path from 'node:path';
import { Failed } from '../events/failure.ts';
import { identifyArchive } from './archive-format.ts';

/** A file of the archive, put aside in a file of ours. */
export interface FileMember {
  readonly kind: 'file';
  /** Where its content is. */
  readonly file: string;
  /** Of the content, 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  /** The first bytes of the content. */
  readonly head: Uint8Array;
}

/** A symbolic link, or a hard link whose target then starts with `/`. */
export interface LinkMember {
  readonly kind: 'link';
  readonly target: string;
}

export type Member = FileMember | LinkMember;

/** The members by name, as `memberName` gives it. */
export type Members = ReadonlyMap<string, Member>;

/** One layer to apply. */
export interface Layer {
  /** Its name in the archive. */
  readonly name: string;
  readonly file: string;
  readonly sha256: string;
  readonly head: Uint8Array;
}

/** Longer chains of links than this are a loop. */
const MOST_LINKS = 8;

/** A member's name without leading `./` or trailing `/`; undefined when it leads out of the archive. */
export function memberName(raw: string): string | undefined {
  const name = path.posix.normalize(raw).replace(/\/+$/, '');
  return name === '..' || name.startsWith('../') || name.startsWith('/') ? undefined : name;
}

/** The file that a name stands for, through links inside the archive. @throws Failed `verify` */
export function fileMember(members: Members, name: string, archive: string): FileMember {
  let at = name;
  for (let links = 0; links <= MOST_LINKS; links += 1) {
    const member = members.get(at);
    if (member === undefined) {
      throw badImage(archive, `it names '${name}', which is not in it`);
    }
    if (member.kind === 'file') {
      return member;
    }
    const target = member.target.startsWith('/')
      ? member.target.slice(1)
      : path.posix.join(path.posix.dirname(at), member.target);
    at = memberName(target) ?? '';
  }
  throw badImage(archive, `'${name}' is a link that leads nowhere`);
}

/** What `manifest.json` says. */
export interface Manifest {
  /** Name of the image's configuration. */
  readonly config: string;
  /** Names, lowest layer first. */
  readonly layers: readonly string[];
}

/** @throws Failed `verify` when it is no manifest, or has several images. */
export function parseManifest(text: string, archive: string): Manifest {
  const images = parseJson(text, 'manifest.json', archive);
  if (!Array.isArray(images) || images.length === 0) {
    throw badImage(archive, 'its manifest.json has no image');
  }
  if (images.length > 1) {
    const tags = images.flatMap((image) => (isRecord(image) ? texts(image.RepoTags) : []));
    throw badImage(archive, `it has ${images.length} images (${tags.join(', ')}), not one`);
  }
  const [image] = images;
  const layers = isRecord(image) ? texts(image.Layers) : [];
  if (!isRecord(image) || layers.length === 0) {
    throw badImage(archive, 'its manifest.json names no layers');
  }
  const config = typeof image.Config === 'string' ? image.Config : '';
  return { config, layers };
}

/** The digests of the uncompressed layers, from the image's configuration. @throws Failed `verify` */
export function parseDiffIds(text: string, archive: string): readonly string[] {
  const config = parseJson(text, 'configuration', archive);
  const rootfs = isRecord(config) ? config.rootfs : undefined;
  return isRecord(rootfs) ? texts(rootfs.diff_ids) : [];
}

/** The only layer of an archive without a manifest. @throws Failed `verify` when there is not one. */
export function onlyLayer(members: Members, archive: string): string {
  const tars = [...members.keys()].filter((name) => name.endsWith('.tar'));
  const ofSkopeo = tars.filter((name) => !name.includes('/') && name !== 'layer.tar');
  const candidates = ofSkopeo.length > 0 ? ofSkopeo : tars;
  const [only] = candidates;
  if (only === undefined || candidates.length > 1) {
    const why = only === undefined ? 'no layer' : `${candidates.length} layers in no known order`;
    throw badImage(archive, `it is no container image: it has no manifest.json, and ${why}`);
  }
  return only;
}

/**
 * The layers to apply, lowest first, each compared with its digest in the configuration. Compressed
 * layers are not: the digest is that of the content.
 *
 * @throws Failed `verify`
 */
export function layersOf(
  members: Members,
  { layers, diffIds }: { readonly layers: readonly string[]; readonly diffIds: readonly string[] },
  archive: string,
): readonly Layer[] {
  if (diffIds.length > 0 && diffIds.length !== layers.length) {
    throw badImage(archive, `it has ${layers.length} layers, but digests of ${diffIds.length}`);
  }
  return layers.map((raw, index) => {
    const name = memberName(raw) ?? raw;
    const member = fileMember(members, name, archive);
    const wanted = diffIds[index]?.replace(/^sha256:/, '');
    const isPlain = identifyArchive(member.head) === 'tar';
    if (wanted !== undefined && isPlain && wanted !== member.sha256) {
      throw badImage(archive, `layer '${name}' has the digest ${member.sha256}, not ${wanted}`);
    }
    return { name, file: member.file, sha256: member.sha256, head: member.head };
  });
}

/** The failure for an archive that is not a container image, or a damaged one. */
export function badImage(archive: string, why: string): Failed {
  return new Failed({
    kind: 'verify',
    message: `Cannot unpack '${archive}': ${why}`,
    hint: 'Fetch it again; if it stays so, tell those who publish it',
  });
}

function parseJson(text: string, what: string, archive: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badImage(archive, `its ${what} is not JSON: ${(error as Error).message}`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
