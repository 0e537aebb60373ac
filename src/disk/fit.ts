/**
 * Whether a tree fits into the file systems that are planned for it: found out before the first byte
 * is written.
 */
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { startTool } from '../sandbox/tool-stream.ts';
import { countDataBlocks } from './data-blocks.ts';
import { LargestPlaces } from './largest.ts';
import type { DiskPlan } from './layout.ts';
import { type FileSystemNeed, roomOf } from './room.ts';
import { roundUp } from './sizes.ts';
import { nestedMountPoints } from './subtree.ts';
import {
  ENTRY_FORMAT,
  hasHoles,
  type NeedRules,
  NeedTally,
  parseEntry,
  type TreeEntry,
} from './tree-need.ts';

/**
 * The needs of the file systems whose rules we know. `exact` reads every file for blocks of zeros, which
 * take no room; without it a need may be too large, never too small.
 */
export async function measureNeeds(
  plan: DiskPlan,
  how: { readonly tree: string; readonly exact: boolean },
  context: Context,
): Promise<readonly FileSystemNeed[]> {
  const points = plan.fileSystems.flatMap(({ mountPoint }) => mountPoint ?? []);
  const needs: FileSystemNeed[] = [];
  for (const fs of plan.fileSystems) {
    const room = roomOf(fs);
    if (room !== undefined && fs.mountPoint !== undefined) {
      const inside = nestedMountPoints(fs.mountPoint, points).map((point) =>
        path.relative(fs.mountPoint ?? '/', point),
      );
      const top = path.join(how.tree, fs.mountPoint).replace(/\/$/, '');
      const counted = await count({ top, inside, rules: room.rules, exact: how.exact }, context);
      needs.push({ fs, room, ...counted });
    }
  }
  return needs;
}

interface Count {
  readonly top: string;
  /** Directories whose content belongs to other file systems. */
  readonly inside: readonly string[];
  readonly rules: NeedRules;
  readonly exact: boolean;
}

async function count(
  { top, inside, rules, exact }: Count,
  context: Context,
): Promise<Pick<FileSystemNeed, 'need' | 'largest'>> {
  const tally = new NeedTally(rules);
  const places = new LargestPlaces();
  for await (const entry of listEntries(top, inside, context)) {
    const looked = exact && rules.holes && entry.type === 'f' && tally.isNew(entry);
    const file = Buffer.from(`${top}/`).toString('latin1') + entry.path;
    tally.add(
      entry,
      looked && !hasHoles(entry)
        ? await countDataBlocks(Buffer.from(file, 'latin1'), rules.blockBytes)
        : undefined,
    );
    places.add(entry);
  }
  const largest = exact ? places.describe() : undefined;
  return { need: tally.need, ...(largest === undefined ? {} : { largest }) };
}

/** The bytes of a plain tar of a tree, at least: headers and contents. */
export async function archiveBytes(tree: string, context: Context): Promise<number> {
  const seen = new Set<string>();
  let bytes = 0;
  for await (const { type, inode, links, sizeBytes } of listEntries(tree, [], context)) {
    const isNew = type === 'f' && !(links > 1 && seen.has(inode));
    bytes += TAR_BLOCK + (isNew ? roundUp(sizeBytes, TAR_BLOCK) : 0);
    if (links > 1) {
      seen.add(inode);
    }
  }
  return bytes;
}

const TAR_BLOCK = 512;

/** The entries of a tree, without what is below the directories `inside`. */
async function* listEntries(
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
