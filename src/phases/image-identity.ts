/** What tells one image from another: its date, and the seed of its identifiers. */
import { randomUUID } from 'node:crypto';
import { readFileSync, type Stats, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { HookTree } from '../elements/hook-tree.ts';
import { sha256 } from '../layers/digest.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import {
  type Identifiers,
  identifiersFrom,
  seedFrom,
  variablesThatCount,
} from '../plan/identifiers.ts';
import { ENGINE_DATE, parseSourceDate } from '../plan/source-date.ts';
import { textOrEmpty } from '../sandbox/small-files.ts';
import type { BuildPaths } from './environment.ts';
import type { PreparedBuild } from './prepare.ts';

export interface ImageIdentity {
  /** Seconds since 1970: no time stamp in the image is later. */
  readonly sourceDate: number;
  readonly identifiers: Identifiers;
}

/** In the hook tree, so that it belongs to what the root phases leave behind. */
const SOURCE_DATE_FILE = 'source-date';

/**
 * Writes the date that hooks start with: the user's, else that of this program. Hooks of the phase
 * root raise the latter (`dib-source-date`), and later ones see it as `SOURCE_DATE_EPOCH`.
 */
export function openSourceDate(plan: BuildPlan, hooksDir: string): void {
  const date = plan.identity.sourceDate ?? ENGINE_DATE;
  writeFileSync(path.join(hooksDir, SOURCE_DATE_FILE), `${date}\n`);
}

/** The identity of the image, once the root phases are done. */
export async function identityOf(
  build: PreparedBuild,
  tree: HookTree,
  paths: BuildPaths,
): Promise<ImageIdentity> {
  const { plan } = build;
  const sourceDate = plan.identity.sourceDate ?? readSourceDate(paths.hooksDir);
  if (plan.identity.seed === 'random') {
    return { sourceDate, identifiers: identifiersFrom(randomUUID()) };
  }
  const seed = seedFrom({
    arch: plan.arch,
    elements: build.elements.map(({ name }) => name),
    packages: plan.packages,
    disk: { request: plan.disk, config: build.diskConfig.text },
    variables: withFiles(variablesThatCount(plan.environment)),
    hooks: tree.files.map((file) => file.path),
    sourceDate,
    seed: plan.identity.seed,
  });
  return { sourceDate, identifiers: identifiersFrom(seed) };
}

function readSourceDate(hooksDir: string): number {
  return parseSourceDate(textOrEmpty(path.join(hooksDir, SOURCE_DATE_FILE))) ?? ENGINE_DATE;
}

/** Above this a file counts by its size alone: it is an image or an archive, and dated itself. */
const LARGEST_READ_BYTES = 1 << 20;

/** A path says where something is on this machine; what counts is what it holds. */
function withFiles(variables: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [
      name,
      value.startsWith('/') ? contentOf(value) : value,
    ]),
  );
}

function contentOf(file: string): string {
  const found = statsOf(file);
  if (found === undefined) {
    return 'a path';
  }
  return found.size > LARGEST_READ_BYTES ? String(found.size) : sha256(readFileSync(file));
}

/** Of a file that is one, links followed. */
function statsOf(file: string): Stats | undefined {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    return found?.isFile() === true ? found : undefined;
  } catch {
    return undefined;
  }
}
