/**
 * What one watch pass did, as it is kept in the state volume and read by `status`.
 *
 * The shapes only grow; `RUN_RECORD_VERSION` changes when a reader of the old one would misread the new.
 */

export const RUN_RECORD_VERSION = 1;

/**
 * `ok`: everything was read, and everything to be submitted was. `partial`: something failed or was
 * held back, the rest is done. `failed`: nothing could be done. `interrupted`: it was told to stop.
 */
export type RunOutcome = 'ok' | 'partial' | 'failed' | 'interrupted';

export interface RunRecord {
  readonly version: typeof RUN_RECORD_VERSION;
  /** Counts runs; also the name of the record's file. It orders runs whatever the clock did. */
  readonly sequence: number;
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly ended: string;
  /** By a clock that nobody sets. */
  readonly durationMs: number;
  readonly outcome: RunOutcome;
  /** What stopped the whole run. */
  readonly error?: string;
  /** The target's repositories. */
  readonly target: { readonly system: string; readonly repositories: readonly RepositoryRecord[] };
  readonly systems: readonly SystemRecord[];
}

export interface SystemRecord {
  /** `centos_9-stream`. */
  readonly system: string;
  readonly repositories: readonly RepositoryRecord[];
  /** Source packages listed by the repositories that could be read, each once. */
  readonly listed: number;
  /** Of these: in the history before this run. */
  readonly known: number;
  /** Of these: written to the history without a submission, because their repository was new. */
  readonly seeded: number;
  /** Of these: in the target, with the same name and version. */
  readonly inTarget: number;
  /** New ones that wait for the next run, because of a limit. */
  readonly deferred: number;
  readonly architectures: readonly ArchitectureRecord[];
  /** Why nothing, or not everything, was submitted. */
  readonly error?: string;
}

export interface ArchitectureRecord {
  readonly architecture: string;
  /** To be submitted when the run began, what earlier runs have left included. */
  readonly new: number;
  readonly submitted: number;
  readonly failed: number;
  /** In the target already, or given up. */
  readonly skipped: number;
  /** Perhaps submitted: nobody knows, so they are held until an operator says what to do. */
  readonly unknown: number;
  readonly started: string;
  readonly ended: string;
  readonly durationMs: number;
  /** The name of the directory in `log/`; absent when there was nothing to submit. */
  readonly log?: string;
}

export interface RepositoryRecord {
  readonly id: string;
  readonly url: string;
  /**
   * `read`: fetched and checked. `unchanged`: its checksum is that of the list we have. `kept`: it could
   * not be read, the last good list stands in. `failed`: it could not be read.
   */
  readonly state: 'read' | 'unchanged' | 'kept' | 'failed';
  /** Source packages in the list that was used. */
  readonly packages: number;
  /** Records that were left out: binary packages, unusable names or addresses. */
  readonly ignored: number;
  readonly durationMs: number;
  /** When the list that was used was read, ISO 8601. */
  readonly listRead?: string;
  readonly error?: string;
}
