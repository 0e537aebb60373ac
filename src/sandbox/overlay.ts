/**
 * The only place that knows how an overlay of layers is mounted.
 *
 * Layers are plain directories, so that anything can read them: no redirects, no metadata-only copies. A file that a
 * layer removed is a character device 0:0 of that name, a directory that hides the ones below has the attribute
 * `trusted.overlay.opaque` = `y` (`user.overlay.opaque` in a user namespace).
 * `volatile` makes every fsync free: a layer counts only once it has been published. `index` keeps the names of
 * one file (hard links) together when it is changed, see `layers/hard-links.ts`; the kernel leaves it out by itself
 * where file systems have no file handles, and may not use it in a user namespace. `xino` gives all files one device number,
 * though layers lie in the store and in memory: setfiles passes others by. But it makes inode numbers longer than 32 bits, and then
 * 32-bit programs without large-file support can neither look at files (EOVERFLOW) nor list directories.
 * Source: Documentation/filesystems/overlayfs.rst.
 */
import type { Context } from '../events/event.ts';
import type { Mount } from './mounts.ts';
import { runTool } from './process.ts';
import { inUserNamespace } from './user-namespace.ts';

/**
 * For mount(8). Since util-linux 2.39 it gives the kernel option by option, by fsconfig(2), which takes no more than
 * 255 bytes of each: `lowerdir` of a few layers fails. mount(2) takes a page for all. Source: mount(8); fs/fsopen.c.
 */
export const OVERLAY_ENVIRONMENT: Readonly<Record<string, string>> = {
  LIBMOUNT_FORCE_MOUNT2: 'always',
};

export interface OverlayMount {
  /** The directory that the other paths are relative to: a mount's options must fit into one page. */
  readonly base: string;
  /** Lowest first. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  /** Absolute. */
  readonly target: string;
  /** All files have one device number. */
  readonly oneDevice?: boolean;
}

/** Options for `mount -t overlay -o`. Pure. */
export function overlayOptions(
  what: Omit<OverlayMount, 'base' | 'target'>,
  userNamespace: boolean,
): string {
  return [
    `lowerdir=${what.lower.toReversed().map(escaped).join(':')}`,
    `upperdir=${escaped(what.upper)}`,
    `workdir=${escaped(what.work)}`,
    // Under userxattr the kernel has redirects and metadata-only copies off and refuses to be told.
    ...(userNamespace
      ? ['userxattr', 'index=off']
      : ['redirect_dir=off', 'metacopy=off', 'index=on']),
    `xino=${what.oneDevice === true ? 'on' : 'off'}`,
    'volatile',
  ].join(',');
}

/** Source: overlayfs.rst: a colon separates lower directories, a comma options. */
function escaped(path: string): string {
  return path.replaceAll(/[\\:,]/g, (character) => `\\${character}`);
}

/** The mount, for who is in `base`. */
export function overlayMount(what: OverlayMount): Mount {
  const options = overlayOptions(what, inUserNamespace());
  return { source: 'overlay', target: what.target, type: 'overlay', options };
}

/** @throws Failed `tool` where the kernel refuses. */
export async function mountOverlay(what: OverlayMount, context: Context): Promise<void> {
  const { source, target, type = '', options = '' } = overlayMount(what);
  await runTool(['mount', '-t', type, '-o', options, source, target], context, {
    announce: false,
    cwd: what.base,
    env: OVERLAY_ENVIRONMENT,
  });
}
