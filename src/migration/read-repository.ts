/**
 * The list of one repository: fetched anew, or the one that we have when nothing has changed or, for a
 * target, when the mirror does not answer. A repository that fails is never an empty one.
 */
import { promises as fs } from 'node:fs';
import path from 'node:path';
import { failureOf } from '../events/failure.ts';
import type { FetchConfig, RepositoryConfig, SystemName } from './config.ts';
import { fetchPrimary, fetchRepomd, RepositoryError } from './fetch-primary.ts';
import type { PrimaryFile } from './repomd.ts';
import type { RepositoryRecord } from './run-record.ts';
import { repositoryListBase, type StatePaths } from './state.ts';
import type { Clock } from './watch.ts';
import { readIfThere, writeWhole } from './write-file.ts';

export interface RepositoryQuestion {
  readonly system: SystemName;
  readonly repository: RepositoryConfig;
  /** The last good list stands in for one that cannot be read: right for what we already have. */
  readonly mayKeep: boolean;
}

export interface RepositoryAnswer {
  readonly record: RepositoryRecord;
  /** `URL NAME VERSION` lines; undefined when it is not known what the repository has. */
  readonly list: string | undefined;
}

export interface RepositoryNeeds {
  readonly paths: StatePaths;
  readonly fetch: FetchConfig;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string>>;
  /** Keep what was read for the next time. */
  readonly remember: boolean;
  readonly warn: (text: string) => void;
}

/** What is kept beside a list. */
interface KeptList {
  readonly version: 1;
  readonly url: string;
  readonly digest: string;
  readonly packages: number;
  readonly ignored: number;
  readonly bytes: number;
  readonly readAt: string;
}

interface Found {
  readonly state: RepositoryRecord['state'];
  readonly kept: KeptList;
  readonly list: string;
}

/** Never rejects for what the repository does; only when the state volume cannot be written. */
export async function readRepository(
  question: RepositoryQuestion,
  needs: RepositoryNeeds,
): Promise<RepositoryAnswer> {
  const started = performance.now();
  const { id, url } = question.repository;
  const base = repositoryListBase(needs.paths, question.system, id);
  const kept = await readKept(base, url);
  const finish = (found: Found | undefined, error?: string): RepositoryAnswer => ({
    list: found?.list,
    record: {
      id,
      url,
      state: found?.state ?? 'failed',
      packages: found?.kept.packages ?? 0,
      ignored: found?.kept.ignored ?? 0,
      durationMs: Math.round(performance.now() - started),
      ...(found === undefined ? {} : { listRead: found.kept.readAt }),
      ...(error === undefined ? {} : { error }),
    },
  });
  let fresh: Found;
  try {
    fresh = await tryRepeatedly(question.repository, kept, needs);
  } catch (error) {
    const reason = reasonOf(error);
    return finish(
      question.mayKeep && kept !== undefined ? { ...kept, state: 'kept' } : undefined,
      reason,
    );
  }
  if (fresh.state === 'read' && needs.remember) {
    await fs.mkdir(path.dirname(base), { recursive: true });
    // The list first: what is said about it must not be older than it.
    await fs.unlink(`${base}.json`).catch(() => {});
    await writeWhole(`${base}.list`, fresh.list);
    await writeWhole(`${base}.json`, `${JSON.stringify(fresh.kept)}\n`);
  }
  return finish(fresh);
}

async function readKept(base: string, url: string): Promise<Found | undefined> {
  const [about, list] = await Promise.all([
    readIfThere(`${base}.json`),
    readIfThere(`${base}.list`),
  ]);
  try {
    const kept = JSON.parse(about ?? '') as KeptList;
    const isWhole = kept.version === 1 && kept.url === url && list?.length === kept.bytes;
    return isWhole && list !== undefined ? { state: 'unchanged', kept, list } : undefined;
  } catch {
    return undefined;
  }
}

async function tryRepeatedly(
  repository: RepositoryConfig,
  kept: Found | undefined,
  needs: RepositoryNeeds,
): Promise<Found> {
  const { attempts, retryDelaySeconds, timeoutSeconds } = needs.fetch;
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), timeoutSeconds * 1000);
  const signal = AbortSignal.any([needs.signal, deadline.signal]);
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await readOnce(repository, kept, { ...needs, signal });
      } catch (error) {
        const isFinal = !(error instanceof RepositoryError) || error.isFinal;
        if (deadline.signal.aborted) {
          throw new RepositoryError(
            `It was not read within ${timeoutSeconds} s: ${reasonOf(error)}`,
            { cause: error },
          );
        }
        if (isFinal || attempt >= attempts || signal.aborted) {
          throw error;
        }
        await needs.clock.sleep(retryDelaySeconds * 1000, signal);
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

async function readOnce(
  { id, url }: RepositoryConfig,
  kept: Found | undefined,
  needs: RepositoryNeeds,
): Promise<Found> {
  const { signal, environment } = needs;
  const idleMs = needs.fetch.idleSeconds * 1000;
  const primary = await fetchRepomd(url, { idleMs, signal, environment });
  const digest = digestName(primary);
  if (kept !== undefined && kept.kept.digest === digest) {
    return kept;
  }
  const list = await fetchPrimary(url, primary, { idleMs, signal, environment });
  if (list.unusable > 0) {
    needs.warn(
      `Repository ${id}: ${list.unusable} records are left out, such as ${list.examples.join('; ')}`,
    );
  }
  return {
    state: 'read',
    list: list.text,
    kept: {
      version: 1,
      url,
      digest,
      packages: list.packages,
      ignored: list.binaries + list.unusable,
      bytes: list.text.length,
      readAt: needs.clock.now().toISOString(),
    },
  };
}

function digestName({ algorithm, digest }: PrimaryFile): string {
  return `${algorithm}:${digest}`;
}

function reasonOf(error: unknown): string {
  if (error instanceof RepositoryError) {
    return error.message;
  }
  const { message, hint } = failureOf(error);
  return hint === undefined ? message : `${message} (${hint})`;
}
