/**
 * Whether a tree fits into the file systems that are planned for it: found out before the first byte
 * is written.
 */
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { countDataBlocks } from './data-blocks.ts';
import { LargestPlaces } from './largest.ts';
import type { DiskPlan } from './layout.ts';
import { listEntries, pathOf } from './list-entries.ts';
import { type FileSystemNeed, roomOf } from './room.ts';
import { nestedMountPoints } from './subtree.ts';
import { hasHoles, type NeedRules, NeedTally } from './tree-need.ts';

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
    tally.add(
      entry,
      looked && !hasHoles(entry)
        ? await countDataBlocks(pathOf(top, entry), rules.blockBytes)
        : undefined,
    );
    places.add(entry);
  }
  const largest = exact ? places.describe() : undefined;
  return { need: tally.need, ...(largest === undefined ? {} : { largest }) };
}
