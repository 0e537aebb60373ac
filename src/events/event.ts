/**
 * The one stream of facts that a build emits.
 *
 * The engine emits facts and never formats them; the console, the live view, the log file, the JSON
 * file and the summary are readers. The union only grows: `EVENTS_VERSION` changes when a reader of
 * the old shape would misread the new one.
 */
import type { Failure } from './failure.ts';

export const EVENTS_VERSION = 1;

export type EventBody =
  /** First event of a build. `elements` is what was asked for, `expanded` what that became. */
  | {
      readonly kind: 'build-start';
      readonly version: string;
      readonly elements: readonly string[];
      readonly expanded: readonly string[];
      readonly imageName: string;
      readonly imageTypes: readonly string[];
      readonly buildDir: string;
    }
  /** Something worth a line that no other event says. */
  | { readonly kind: 'message'; readonly level: 'info' | 'warning'; readonly text: string }
  | { readonly kind: 'element-hooks'; readonly element: string }
  /** `dir` is the phase's directory as its hooks see it; `hooks` are in run order. */
  | {
      readonly kind: 'phase-start';
      readonly phase: string;
      readonly where: 'host' | 'target';
      readonly dir: string;
      readonly hooks: readonly string[];
    }
  | { readonly kind: 'environment-file'; readonly path: string }
  | {
      readonly kind: 'hooks-ignored';
      readonly reason: 'not-executable' | 'name';
      readonly names: readonly string[];
    }
  /** `path` is what is executed; `element` is who brought it, when known. */
  | {
      readonly kind: 'hook-start';
      readonly hook: string;
      readonly path: string;
      readonly element?: string;
    }
  | {
      readonly kind: 'hook-end';
      readonly hook: string;
      readonly status: number;
      readonly durationMs: number;
    }
  /** One line that a hook or tool printed, standard output and error merged, without the newline. */
  | { readonly kind: 'output'; readonly line: string }
  | {
      readonly kind: 'phase-end';
      readonly phase: string;
      readonly durationMs: number;
      readonly ok: boolean;
    }
  /** Work of ours between and after the phases: `step` is a short name, `detail` a human's words. */
  /**
   * What became of a phase, or of a part of it, as a layer: `reused` from the store, `run` because of
   * `reasons`, `kept` in the store under `key`.
   */
  | {
      readonly kind: 'layer';
      readonly outcome: 'reused' | 'run' | 'kept';
      readonly phase: string;
      readonly hooks: readonly string[];
      readonly reasons: readonly string[];
      readonly key?: string;
    }
  | { readonly kind: 'step-start'; readonly step: string; readonly detail: string }
  | { readonly kind: 'step-end'; readonly step: string; readonly durationMs: number }
  | { readonly kind: 'artifact-renamed'; readonly from: string; readonly to: string }
  | {
      readonly kind: 'artifact';
      readonly type: string;
      readonly path: string;
      readonly sizeBytes: number;
    }
  /** Somebody else has a lock that we need; `holder` is a human's words. Said once per holder. */
  | { readonly kind: 'lock-wait'; readonly path: string; readonly holder: string }
  /** At most four per second; `totalBytes` when the server said it. */
  | {
      readonly kind: 'download-progress';
      readonly url: string;
      readonly receivedBytes: number;
      readonly totalBytes?: number;
    }
  /** All bytes of a file have arrived, in however many attempts. */
  | {
      readonly kind: 'download-end';
      readonly url: string;
      readonly sizeBytes: number;
      readonly durationMs: number;
    }
  /** A debug shell is about to take the terminal, and has given it back. */
  | { readonly kind: 'break-start'; readonly point: string; readonly lines: readonly string[] }
  | { readonly kind: 'break-end'; readonly point: string }
  /** Always the last event. */
  | { readonly kind: 'build-end'; readonly durationMs: number; readonly failure?: Failure };

/** An event as readers get it: `at` is milliseconds since the epoch. */
export type BuildEvent = EventBody & { readonly at: number };

/** Where the engine puts its events. Never throws, never blocks. */
export type Emit = (event: EventBody) => void;

/** What every effect needs: where to say what happens, when to stop, and a clean tool environment. */
export interface Context {
  readonly emit: Emit;
  /** Resolves when whoever reads the events has caught up; what a hook prints goes at that pace. */
  readonly drained?: () => Promise<void>;
  readonly signal: AbortSignal;
  /** The environment of our own tools: a table's, never the inherited one. */
  readonly toolEnvironment: Readonly<Record<string, string>>;
}
