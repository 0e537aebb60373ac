/**
 * The layer store: `$DIB_IMAGE_CACHE/layers`.
 *
 *     <key>/layer.json     what went in (record.ts); its modification time is that of the last use
 *           tree/          what the phase changed in the target, as an overlay's upper (overlay.ts)
 *           hooks/         what it wrote into the hook tree
 *           state          variables and settings of the shell, where a phase goes on after this layer
 *           beside/        what it wrote beside the image
 *           size           of the whole tree up to here, once somebody has measured it (tree-size.ts)
 *           owner          belongs to an id of the user's range, where root of a user namespace made it (owner-mark.ts)
 *           unsynced       made here, and nobody knows yet whether its contents are on the disk
 *           whole, torn    what was found when it was looked at after the machine had started anew
 *     .builds/<id>/        of a running build: its lock, the keys that it uses, layers in the making
 *     .locks/              one file per layer in the making
 *     .images/             finished images
 *     .resume/             what failed builds have got to
 *
 * A layer appears by one rename, complete. Removing starts with one rename too, under the lock that
 * builds hold while they choose layers.
 */
import { existsSync, readdirSync } from 'node:fs';
import { readdir, rename, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { makeDirectories } from '../events/make-directories.ts';
import type { Background } from '../sandbox/background.ts';
import { runTool } from '../sandbox/process.ts';
import { textOrEmpty } from '../sandbox/small-files.ts';
import { type FlockMode, takeFlock } from './flock.ts';
import { isKey, type LayerRecord, parseRecord, slotOfKey } from './record.ts';
import { refusalOf } from './refused.ts';

/** A layer in the store. */
export interface StoredLayer {
  readonly key: string;
  readonly directory: string;
  readonly record: LayerRecord;
}

/** Who may have the lock, for somebody who wants it in that mode. */
const HOLDERS: Readonly<Record<FlockMode, string>> = {
  shared: 'another build, or dibkit cache prune, chooses what to remove',
  exclusive: 'dibkit cache verify, or another build, looks at layers',
};

export class LayerStore {
  readonly directory: string;

  constructor(imageCache: string) {
    this.directory = path.join(imageCache, 'layers');
  }

  pathOf(key: string): string {
    return path.join(this.directory, key);
  }

  has(key: string): boolean {
    return existsSync(this.pathOf(key));
  }

  /** Of the tree up to a layer: `tree-size.ts`. */
  sizeFile(key: string): string {
    return path.join(this.pathOf(key), 'size');
  }

  get builds(): string {
    return path.join(this.directory, '.builds');
  }

  get images(): string {
    return path.join(this.directory, '.images');
  }

  /** @throws Failed `host` where it is somebody else's. */
  async make(context: Context): Promise<void> {
    await this.orRefusal(() => this.#make(context));
  }

  /** @throws Failed `host` where it is there and cannot be read: it is not as if there was none */
  async assertReadable(): Promise<void> {
    await this.orRefusal(async () => {
      await readdir(this.directory).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EACCES') {
          throw error;
        }
      });
    });
  }

  /** Does something in the store. @throws Failed `host` where it is somebody else's. */
  async orRefusal<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw await refusalOf(this.directory, error);
    }
  }

  async #make(context: Context): Promise<void> {
    // Layers hold what images hold, keys and passwords included.
    await makeDirectories(this.directory, 0o700);
    for (const each of [this.images, path.join(this.directory, '.locks')]) {
      await makeDirectories(each);
    }
    if (!existsSync(this.builds)) {
      await makeDirectories(this.builds);
      await spreadOut(this.builds, context);
    }
  }

  /** Keys of everything in the store, sorted; empty where there is no store. */
  async keys(): Promise<readonly string[]> {
    return namesIn(this.directory).filter(isKey).sort();
  }

  async read(key: string): Promise<StoredLayer | undefined> {
    const directory = this.pathOf(key);
    const record = parseRecord(textOrEmpty(path.join(directory, 'layer.json')));
    return record === undefined ? undefined : { key, directory, record };
  }

  /** The layers of a slot, the newest first. */
  async candidates(slot: string): Promise<readonly StoredLayer[]> {
    const keys = (await this.keys()).filter((key) => slotOfKey(key) === slot);
    const found = await Promise.all(keys.map((key) => this.read(key)));
    return found
      .filter((layer) => layer !== undefined)
      .sort((a, b) => Date.parse(b.record.created) - Date.parse(a.record.created));
  }

  /** Builds hold it shared while they choose layers, whoever removes some holds it alone. */
  async lock(mode: FlockMode, context: Context): Promise<AsyncDisposable> {
    const file = path.join(this.directory, '.lock');
    const free = await this.orRefusal(() => takeFlock(file, { mode, wait: false }, context));
    if (free !== undefined) {
      return free;
    }
    context.emit({ kind: 'lock-wait', path: file, holder: HOLDERS[mode] });
    const lock = await takeFlock(file, { mode, wait: true }, context);
    if (lock === undefined) {
      throw new Error('flock gave up without a reason');
    }
    return lock;
  }

  /** The file whose lock says that somebody is making what `request` stands for. */
  requestLock(request: string): string {
    return path.join(this.directory, '.locks', request);
  }

  /**
   * The key that a layer is to be published under. One of the same inputs may be there, and was passed over
   * (it is too old, say), or another build has just made it: ours is another tree all the same, and what will
   * stand on it must not be taken for what stands on theirs.
   */
  freeKey(key: string): string {
    const registered = this.#registered();
    for (let number = 0; ; number += 1) {
      const name = number === 0 ? key : `${key}.${number}`;
      if (!existsSync(this.pathOf(name)) && !registered.has(name)) {
        return name;
      }
    }
  }

  /** What builds use, or are about to publish. */
  #registered(): ReadonlySet<string> {
    const builds = namesIn(this.builds);
    return new Set(builds.flatMap((name) => keysIn(path.join(this.builds, name))));
  }

  /** Makes a finished directory a layer. @throws where somebody has put one there in the same moment. */
  async publish(made: string, record: LayerRecord): Promise<void> {
    await writeFile(path.join(made, 'layer.json'), JSON.stringify(record), { mode: 0o600 });
    try {
      await rename(made, this.pathOf(record.key));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') {
        throw error;
      }
      const text = `another build has made the layer ${record.key} at the same time`;
      throw new Error(text, { cause: error });
    }
  }

  /** Notes that a layer is in use now, for whoever has to choose what to remove. */
  async touch(key: string): Promise<void> {
    const now = new Date();
    await utimes(path.join(this.pathOf(key), 'layer.json'), now, now).catch(() => {});
  }
}

/** Empty where there is no such directory. */
function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * Has ext4 put directories in it far from each other. It does not use the inodes of removed files again for a
 * minute and more, and each file that is made near them looks at them all: beside a layer that has just been
 * removed, a copy costs ten times as much (measured). Source: chattr(1); ext4 in Linux, recently_deleted().
 */
async function spreadOut(directory: string, context: Context): Promise<void> {
  await runTool(['chattr', '+T', directory], context, { announce: false }).catch(() => {
    // Another file system, or no chattr.
  });
}

/** The keys that a build with this directory uses; it writes them down before it does. */
export function keysIn(build: string): readonly string[] {
  return textOrEmpty(path.join(build, 'keys')).split('\n').filter(Boolean);
}

/**
 * The file that says that a layer's contents may not be on the disk. What wrote them may have set their sizes
 * beforehand (dpkg, rpm and journald do), so that no listing shows that they are lost. A copy's are set afterwards.
 */
export function unsyncedMark(directory: string): string {
  return path.join(directory, 'unsynced');
}

export function isUnsynced(directory: string): boolean {
  return existsSync(unsyncedMark(directory));
}

/** The file that says that a layer was found to be torn. */
export function tornMark(directory: string): string {
  return path.join(directory, 'torn');
}

/** Whether it was: then it is never used again. */
export function isTorn(directory: string): boolean {
  return existsSync(tornMark(directory));
}

/**
 * Prints two lines about the tree $1, in either order, and what went wrong. Sorted: two listings of one tree are
 * alike. A directory's size is the file system's business.
 */
const MEASURE = `
cd "$1" || exit 1
{
    find . -printf '%b %y %m %U %G %s %T@ %P -> %l\\n' | LC_ALL=C sort -k8 |
        awk '$2 == "d" { $6 = 0 }
            { blocks += $1; $1 = ""; print }
            END { printf "total %.0f %d\\n", blocks * 512, NR >"/dev/stderr" }' |
        sha256sum
} 2>&1
`;

/** What is noted of a layer's tree. */
export type TreeMeasures = Pick<LayerRecord, 'sizeBytes' | 'entries' | 'listing'>;

/** Size and digest of a tree by names, modes, owners, sizes and times; contents are not read. */
export async function measureTree(tree: string, context: Context): Promise<TreeMeasures> {
  const argv = ['sh', '-c', MEASURE, 'sh', tree] as const;
  return measuresOf(tree, await runTool(argv, context, { announce: false }));
}

/**
 * Copies the layer in the making `from`, and measures the tree of the copy. An attribute that cannot be copied is an
 * error, which to `cp -a` alone it is not: capabilities, say, and what hides directories.
 */
export async function copyMeasured(
  { from, to, beside }: { readonly from: string; readonly to: string; readonly beside: Background },
  context: Context,
): Promise<TreeMeasures> {
  const script = `cp -aT --preserve=xattr "$2" "$3" || exit\n${MEASURE}`;
  const tree = path.join(to, 'tree');
  return measuresOf(tree, await beside.run(['sh', '-c', script, 'sh', tree, from, to], context));
}

/** What `MEASURE` printed of a tree. @throws Error where it was not read to its end */
function measuresOf(tree: string, printed: string): TreeMeasures {
  const sorted = printed.split('\n').sort().join('\n');
  const [, listing, sizeBytes, entries] =
    /^([0-9a-f]{64}) {2}-\ntotal (\d+) (\d+)$/.exec(sorted) ?? [];
  if (listing === undefined) {
    // Of a pipe's parts the shell tells only how the last one ended: the others complain.
    const [complaint] = /^\S+: .*/m.exec(sorted) ?? [sorted];
    throw new Error(`Cannot list '${tree}': ${complaint}`);
  }
  return { listing, sizeBytes: Number(sizeBytes), entries: Number(entries) };
}
