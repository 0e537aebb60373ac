/** What tells one image from another: its date, and the seed of its identifiers. */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
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
import { statsOf } from './input-digests.ts';
import { namedPaths } from './named-inputs.ts';
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
    variables: withFiles(variablesThatCount(plan.environment), plan.image.cwd),
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

/**
 * A path says where something is on this machine; what counts is what it holds. Not what directories hold:
 * whoever works on that builds the same image again and again, as with hooks.
 */
function withFiles(
  variables: Readonly<Record<string, string>>,
  cwd: string,
): Readonly<Record<string, string>> {
  const named = namedPaths(variables, cwd);
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      const files = (named.get(name) ?? []).filter(({ kind }) => kind === 'file');
      const text = files.reduce(
        (rest, file) => rest.replaceAll(file.path, contentOf(path.resolve(cwd, file.path))),
        value,
      );
      return [name, text.startsWith('/') ? 'a path' : text];
    }),
  );
}

function contentOf(file: string): string {
  const size = statsOf(file)?.size ?? 0;
  return size > LARGEST_READ_BYTES ? String(size) : sha256(readFileSync(file));
}
