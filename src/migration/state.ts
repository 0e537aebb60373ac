/**
 * Where everything is that must outlive the container: the layout of the state volume.
 *
 *     STATE/
 *       data/
 *         rpm_src_history_list_<os>_<version>   what was submitted or seeded: `URL NAME VERSION` lines
 *         seeded.json                           which repositories have been seeded
 *         journal                               submissions of which the history does not know yet
 *         pending/                              what running `submit`s print, until it is read
 *         lists/<os>_<version>/<repository>.{list,json}   the last good list of each repository
 *       log/
 *         log_crontab_task                      what the service says, with times
 *         submit-log-<os>_<version>_<arch>-<YYYYMMDD-HHMMSS>/
 *             submit-log submit-succ-list submit-fail-list result_root_list
 *       runs/<sequence>.json                    one record per run, see run-record.ts
 *       run.dib-lock/                           who runs
 *
 * Names of lists and logs are the original's. Source: migration facts, 1.2.
 */

import { promises as fs } from 'node:fs';
import path from 'node:path';
import { configError } from '../events/failure.ts';
import { makeDirectories } from '../events/make-directories.ts';
import type { SystemName } from './config.ts';
import { systemKey } from './config.ts';
import type { RunRecord } from './run-record.ts';

/** The default place of the state volume. */
export const DEFAULT_STATE_DIRECTORY = '/var/lib/migration-update';

/** The files in the directory of one batch of submissions. */
export const SUBMIT_LOG_FILES = {
  log: 'submit-log',
  succeeded: 'submit-succ-list',
  failed: 'submit-fail-list',
  resultRoots: 'result_root_list',
} as const;

export interface StatePaths {
  readonly root: string;
  readonly data: string;
  readonly seeded: string;
  readonly journal: string;
  readonly pending: string;
  readonly log: string;
  /** The one growing log. */
  readonly taskLog: string;
  readonly runs: string;
  /** What the run lock is taken on. */
  readonly runLock: string;
}

/** The paths below a state volume. */
export function statePaths(root: string): StatePaths {
  const data = path.join(root, 'data');
  const log = path.join(root, 'log');
  return {
    root,
    data,
    seeded: path.join(data, 'seeded.json'),
    journal: path.join(data, 'journal'),
    pending: path.join(data, 'pending'),
    log,
    taskLog: path.join(log, 'log_crontab_task'),
    runs: path.join(root, 'runs'),
    runLock: path.join(root, 'run'),
  };
}

export function historyFile(paths: StatePaths, system: SystemName): string {
  return path.join(paths.data, `rpm_src_history_list_${systemKey(system)}`);
}

/** Where a repository's last good list is, without the suffix. */
export function repositoryListBase(
  paths: StatePaths,
  system: SystemName,
  repositoryId: string,
): string {
  const name = repositoryId.replace(
    /[^A-Za-z0-9_.-]/g,
    (char) => `%${(char.codePointAt(0) ?? 0).toString(16)}`,
  );
  return path.join(paths.data, 'lists', systemKey(system), name.replace(/^\./, '%2e'));
}

/** `submit-log-centos_9-stream_aarch64-20241115-021316`, in local time like the original's. */
export function submitLogName(system: SystemName, architecture: string, at: Date): string {
  return `submit-log-${systemKey(system)}_${architecture}-${renderStamp(at)}`;
}

/** `20241115-021316`, local time. */
export function renderStamp(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}${two(at.getMonth() + 1)}${two(at.getDate())}`;
  return `${day}-${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}`;
}

/**
 * The day in the name of a submit log's directory, as `YYYYMMDD`; undefined for other names. The last
 * one counts: the version of a system may look like a date too.
 */
export function submitLogDay(name: string): string | undefined {
  return /^submit-log-.*-(\d{8})-\d{6}(?:-\d+)?$/.exec(name)?.[1];
}

/** Makes the directories of a state volume. @throws Failed `config` when they cannot be written. */
export async function openState(root: string): Promise<StatePaths> {
  const paths = statePaths(root);
  try {
    for (const dir of [paths.data, paths.pending, paths.log, paths.runs]) {
      await makeDirectories(dir);
      await fs.access(dir, 2);
    }
  } catch (error) {
    const { code, path: where } = error as NodeJS.ErrnoException;
    throw configError(`Cannot keep the state in '${root}': ${code} at '${where ?? root}'`, {
      hint: 'Mount a volume there, or name another directory with --state',
    });
  }
  return paths;
}

/** The records of the last `count` runs, newest first. A record that cannot be read is left out. */
export async function readRunRecords(
  paths: StatePaths,
  count: number,
): Promise<readonly RunRecord[]> {
  const sequences = (await runSequences(paths)).slice(-count).reverse();
  const records = await Promise.all(sequences.map((sequence) => readRunRecord(paths, sequence)));
  return records.filter((record): record is RunRecord => record !== undefined);
}

async function readRunRecord(paths: StatePaths, sequence: number): Promise<RunRecord | undefined> {
  try {
    return JSON.parse(await fs.readFile(runFile(paths, sequence), 'utf8')) as RunRecord;
  } catch {
    return undefined;
  }
}

/** The numbers of all runs on record, ascending. */
export async function runSequences(paths: StatePaths): Promise<readonly number[]> {
  const names = await fs.readdir(paths.runs).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return [];
    }
    throw error;
  });
  return names
    .flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

export function runFile(paths: StatePaths, sequence: number): string {
  return path.join(paths.runs, `${String(sequence).padStart(8, '0')}.json`);
}
