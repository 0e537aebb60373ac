/**
 * Whose a layer is. In a user namespace the files of images belong to ids of the user's range, and other attributes
 * hide directories: for root, or with another range, it is another tree. So a layer made in one has a file that
 * belongs to an id of the range, and is used where that is the id which it was given.
 *
 * The owner and not the range, because a store may be packed, and unpacked where the same user has another range.
 */
import { chownSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { idOutside, parseIdMap } from '../sandbox/id-map.ts';
import { privilegedArgv } from '../sandbox/namespace.ts';
import { runTool } from '../sandbox/process.ts';
import { inUserNamespace, neededPrivilege } from '../sandbox/user-namespace.ts';

/** Who owns the mark of a layer that can be used, as we see it; undefined: it has none, and is root's. */
export type OwnerMark = { readonly uid: number; readonly gid: number } | undefined;

/** The first id of the range, or the only one that there is. */
const FIRST = 1;
const ONLY = 0;

/** For a build in this process. */
export function ownMark(): OwnerMark {
  if (!inUserNamespace()) {
    return undefined;
  }
  const [uid = ONLY, gid = ONLY] = ['uid_map', 'gid_map'].map((name) => {
    const map = parseIdMap(readFileSync(`/proc/self/${name}`, 'utf8'));
    return idOutside(map, FIRST) === undefined ? ONLY : FIRST;
  });
  return { uid, gid };
}

const PRINT_MAPS = 'cat /proc/self/uid_map; echo; cat /proc/self/gid_map';

/** Where there can be no namespace, unshare's helper for ids would wait for ever. */
const IF_POSSIBLE = 'unshare --user true && exec "$@"';

/** For a build that this process would start. */
export async function markOfBuild(context: Context): Promise<OwnerMark> {
  if (neededPrivilege() === 'root') {
    return ownMark();
  }
  const inside = privilegedArgv(['sh', '-c', PRINT_MAPS], 'user-namespace');
  const argv = ['sh', '-c', IF_POSSIBLE, 'sh', ...inside] as const;
  const maps = await runTool(argv, context, { announce: false }).catch(() => '');
  context.signal.throwIfAborted();
  const [uid, gid] = maps.split('\n\n').map((text) => {
    const map = parseIdMap(text);
    return idOutside(map, FIRST) ?? idOutside(map, ONLY);
  });
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/** Marks a layer in the making as one of this process. */
export function putMark(directory: string, mark: OwnerMark): void {
  if (mark !== undefined) {
    const file = markFile(directory);
    writeFileSync(file, '');
    chownSync(file, mark.uid, mark.gid);
  }
}

/** Whether a layer can be used where that is the mark. */
export function hasMark(directory: string, mark: OwnerMark): boolean {
  const found = lstatSync(markFile(directory), { throwIfNoEntry: false });
  return mark === undefined
    ? found === undefined && lstatSync(directory, { throwIfNoEntry: false })?.uid === 0
    : found?.uid === mark.uid && found.gid === mark.gid;
}

/** Equal for layers whose files have the same owners. */
export function ownersOf(directory: string): string {
  const found = lstatSync(markFile(directory), { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.uid}:${found.gid}`;
}

function markFile(directory: string): string {
  return path.join(directory, 'owner');
}
