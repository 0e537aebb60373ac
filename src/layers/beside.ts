/**
 * What hooks on the host write beside the image, such as manifests or a kernel: files whose names are the
 * image's and more. It is kept with the layer and written again, under the name of the image of then.
 */
import { lstat, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { runTool } from '../sandbox/process.ts';

export interface Beside {
  /** Where the image goes. */
  readonly directory: string;
  /** The image's name without directory and suffix. */
  readonly image: string;
}

/** What the element `iso` calls its file: the only one that goes on with something else than a dot (compat). */
const BOOT_ISO = '-boot.iso';

/** By suffix, for example `.d`: what says whether it was written since. */
export type BesideState = ReadonlyMap<string, string>;

export async function besideNow({ directory, image }: Beside): Promise<BesideState> {
  const names = await readdir(directory).catch(() => []);
  const prefix = `${image}.`;
  const states = await Promise.all(
    names
      .filter((name) => name.startsWith(prefix) || name === image + BOOT_ISO)
      .map(async (name) => {
        const state = await newest(path.join(directory, name));
        return [name.slice(image.length), state] as const;
      }),
  );
  return new Map(states);
}

/** The name that a file with this suffix has while it is kept: without the dot. */
function keptName(suffix: string): string {
  return suffix.startsWith('.') ? suffix.slice(1) : suffix;
}

/** Keeps what was written since `before` in the directory `to`, which is made if there is anything. */
export async function saveBeside(
  where: Beside,
  { before, to }: { readonly before: BesideState; readonly to: string },
  context: Context,
): Promise<void> {
  const after = await besideNow(where);
  for (const [suffix, state] of after) {
    if (before.get(suffix) !== state) {
      await mkdir(to, { recursive: true });
      await copy(
        path.join(where.directory, where.image + suffix),
        path.join(to, keptName(suffix)),
        context,
      );
    }
  }
}

/** Writes again what `saveBeside` kept in `from`. */
export async function restoreBeside(from: string, where: Beside, context: Context): Promise<void> {
  for (const name of await readdir(from).catch(() => [])) {
    const suffix = name === keptName(BOOT_ISO) ? BOOT_ISO : `.${name}`;
    const target = path.join(where.directory, where.image + suffix);
    await copy(path.join(from, name), target, context);
  }
}

async function copy(from: string, to: string, context: Context): Promise<void> {
  await runTool(['cp', '-a', '--reflink=auto', '--no-target-directory', from, to], context, {
    announce: false,
  });
}

/** The latest change in a file or tree, and how much there is. */
async function newest(file: string): Promise<string> {
  const found = await lstat(file, { bigint: true }).catch(() => undefined);
  if (found === undefined) {
    return '';
  }
  const inside = found.isDirectory() ? (await readdir(file)).sort() : [];
  const below = await Promise.all(inside.map((name) => newest(path.join(file, name))));
  return [found.ctimeNs, found.ino, ...below].join(' ');
}
