/** What tells one image from another: its date, and the seed of its identifiers. */
import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { HookTree } from '../elements/hook-tree.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import {
  type Identifiers,
  identifiersFrom,
  seedFrom,
  variablesThatCount,
} from '../plan/identifiers.ts';
import { ENGINE_DATE, parseSourceDate } from '../plan/source-date.ts';
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
  const sourceDate = plan.identity.sourceDate ?? (await readSourceDate(paths.hooksDir));
  if (plan.identity.seed === 'random') {
    return { sourceDate, identifiers: identifiersFrom(randomUUID()) };
  }
  const seed = seedFrom({
    arch: plan.arch,
    elements: build.elements.map(({ name }) => name),
    packages: plan.packages,
    disk: { request: plan.disk, config: build.diskConfig.text },
    variables: await withFiles(variablesThatCount(plan.environment)),
    hooks: tree.files.map((file) => file.path),
    sourceDate,
    seed: plan.identity.seed,
  });
  return { sourceDate, identifiers: identifiersFrom(seed) };
}

async function readSourceDate(hooksDir: string): Promise<number> {
  const text = await readFile(path.join(hooksDir, SOURCE_DATE_FILE), 'utf8').catch(() => '');
  return parseSourceDate(text) ?? ENGINE_DATE;
}

/** Above this a file counts by its size alone: it is an image or an archive, and dated itself. */
const LARGEST_READ_BYTES = 1 << 20;

/** A path says where something is on this machine; what counts is what it holds. */
async function withFiles(
  variables: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const entries = Object.entries(variables).map(async ([name, value]) => {
    if (!value.startsWith('/')) {
      return [name, value] as const;
    }
    const found = await stat(value).catch(() => undefined);
    if (!found?.isFile()) {
      return [name, 'a path'] as const;
    }
    const content = found.size > LARGEST_READ_BYTES ? String(found.size) : await digestOf(value);
    return [name, content] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function digestOf(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
