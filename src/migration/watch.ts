/** One watch pass: what it is asked, and what it needs of the world. */
import type { Emit } from '../events/event.ts';
import type { MigrationConfig } from './config.ts';
import type { RunRecord } from './run-record.ts';

export interface WatchOptions {
  readonly config: MigrationConfig;
  readonly stateDirectory: string;
  /** Say what would be done; change and submit nothing. */
  readonly dryRun: boolean;
  /** Submit although more is new than `limits.newPercent` allows. */
  readonly allowFlood: boolean;
  /** Offer again what was perhaps submitted. */
  readonly retryUnknown: boolean;
  /** Only these systems, by their key; all when absent. */
  readonly systems?: readonly string[];
  /** Only these architectures; the configuration's when absent. */
  readonly architectures?: readonly string[];
}

/** Time, so that tests can be in charge of it. Durations and time-outs are always real. */
export interface Clock {
  now(): Date;
  /** Resolves early when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface WatchContext {
  readonly emit: Emit;
  /** Aborting starts nothing more, lets running submissions end, and keeps what is known. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The environment of `submit` and of the decompressors. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Runs one pass and records it in the state volume.
 *
 * Rejects with Failed `lock-busy` when another run is going on, `config` for a state directory that
 * cannot be written. Everything else that goes wrong is in the record.
 */
export type RunWatch = (options: WatchOptions, context: WatchContext) => Promise<RunRecord>;
