/**
 * What a running build says of itself to `dibkit enter`: a file in its build directory, as the build
 * sees that. It is read through the build's own process, so there is none of a dead build.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { exists } from '../sandbox/mounts.ts';
import type { EnvironmentRequest } from './environment.ts';
import { TARGET_HOOKS } from './environment.ts';
import type { Phase } from './table.ts';

export interface RunRecord {
  readonly v: 1;
  readonly image: string;
  /** What the user typed. */
  readonly elements: readonly string[];
  readonly phase: string;
  readonly where: 'host' | 'target';
  /** When the phase began, in milliseconds since the epoch. */
  readonly since: number;
  readonly targetRoot: string;
  /** As hooks see them. */
  readonly hooksDir: string;
  /** Of the phase, before `environment.d`. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** The shell that runs the hooks, in the build's PID namespace. */
  readonly shell?: number;
  /** The break point at which it is stopped. */
  readonly stopped?: string;
}

const RECORD = '.dibkit-run';
const ENTERED = '.dibkit-entered';

/** Keeps the record of one phase. A record that cannot be written costs `dibkit enter`, not the build. */
export class RunRecorder {
  readonly #file: string;
  #record: RunRecord;
  #written: Promise<unknown> = Promise.resolve();

  constructor(
    phase: Phase,
    { plan, paths }: EnvironmentRequest,
    env: Readonly<Record<string, string>>,
  ) {
    this.#file = path.join(paths.buildDir, RECORD);
    this.#record = {
      v: 1,
      image: plan.image.name,
      elements: plan.requested,
      phase: phase.name,
      where: phase.where,
      since: Date.now(),
      targetRoot: paths.targetRoot,
      hooksDir: phase.where === 'target' ? TARGET_HOOKS : paths.hooksDir,
      env,
      cwd: plan.image.cwd,
    };
  }

  /** Writes the record, changed like this. Resolves when it can be read. */
  update(change: Partial<RunRecord> | { readonly stopped: undefined }): Promise<unknown> {
    this.#record = { ...this.#record, ...change } as RunRecord;
    const text = JSON.stringify(this.#record);
    this.#written = this.#written.then(() => replace(this.#file, text)).catch(() => {});
    return this.#written;
  }
}

async function replace(file: string, text: string): Promise<void> {
  // The environment may hold what is nobody else's business.
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** The record in a build directory; undefined when there is none, or none that we understand. */
export async function readRunRecord(buildDir: string): Promise<RunRecord | undefined> {
  const text = await readFile(path.join(buildDir, RECORD), 'utf8').catch(() => '{}');
  const record = JSON.parse(text) as Partial<RunRecord>;
  return record.v === 1 ? (record as RunRecord) : undefined;
}

/** Leaves word that somebody went in. For good: they may still be there when the next phase runs. */
export async function markEntered(buildDir: string): Promise<void> {
  await writeFile(path.join(buildDir, ENTERED), '');
}

/** Whether somebody went in. */
export function wasEntered(buildDir: string): Promise<boolean> {
  return exists(path.join(buildDir, ENTERED));
}
