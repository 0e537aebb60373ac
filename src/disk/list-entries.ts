/** Everything in a tree, one entry after the other. */
import type { Context } from '../events/event.ts';
import { startTool } from '../sandbox/tool-stream.ts';
import { ENTRY_FORMAT, parseEntry, type TreeEntry } from './tree-need.ts';

/** The entries of a tree, without what is below the directories `inside`. */
export async function* listEntries(
  top: string,
  inside: readonly string[],
  context: Context,
): AsyncGenerator<TreeEntry> {
  const pruned = inside.flatMap((each) => ['-o', '-path', `${escapeGlob(`${top}/${each}`)}/*`]);
  const prune = pruned.length === 0 ? [] : ['(', ...pruned.slice(1), ')', '-prune', '-o'];
  const argv = ['find', top, '-xdev', ...prune, '-printf', ENTRY_FORMAT] as const;
  const { output, done } = startTool([...argv], context);
  let rest = '';
  for await (const chunk of output) {
    const records = (rest + (chunk as Buffer).toString('latin1')).split('\0');
    rest = records.pop() ?? '';
    yield* records.map(parseEntry);
  }
  await done;
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[[\]*?\\]/g, '\\$&');
}

/** Where an entry is, whatever bytes its name has. */
export function pathOf(top: string, { path }: Pick<TreeEntry, 'path'>): Buffer {
  return Buffer.concat([Buffer.from(`${top}/`), Buffer.from(path, 'latin1')]);
}
