/**
 * Files that hooks have made immutable (`chattr +i`), which upstream's users do to keep a resolv.conf. An overlay notes
 * that in an attribute of the upper which it does not look for in layers below; copies of files lose it anyway.
 * Source: Linux, fs/overlayfs/util.c, ovl_check_protattr().
 */
import type { Context } from '../events/event.ts';
import { runTool } from '../sandbox/process.ts';
import { inUserNamespace } from '../sandbox/user-namespace.ts';

/**
 * Of the files in the upper $2 as the tree $1 shows them, those that root may not write: the first of them. What is
 * mounted over some is none of the tree. To ask for permission takes less time than to ask each file for its flags.
 */
const FIRST = `
cd "$1" || exit
find "$2" -xdev -type f -printf './%P\\0' 2>/dev/null |
    xargs --null --no-run-if-empty sh -c 'find "$@" -maxdepth 0 ! -writable -print -quit' sh 2>/dev/null |
    head -n 1
`;

/** A path in the tree, as hooks in the target see it. Without root of the host nobody may make any. */
export async function firstImmutable(
  { root, upper }: { readonly root: string; readonly upper: string },
  context: Context,
): Promise<string | undefined> {
  if (inUserNamespace()) {
    return undefined;
  }
  const found = await runTool(['sh', '-c', FIRST, 'sh', root, upper], context, { announce: false });
  return found === '' ? undefined : found.replace(/^\./, '');
}
