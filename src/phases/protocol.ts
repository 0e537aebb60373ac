/**
 * What the command's process and the engine's process inside the namespaces say to each other, one
 * JSON value per line. The engine answers with events (`events/json-lines.ts`).
 */
import type { DiskGraph } from '../disk/graph.ts';
import type { PreparedBuild } from './prepare.ts';

/** First line to the engine. */
export interface EngineOrder {
  readonly build: PreparedBuild;
  /** Of the disk's configuration. */
  readonly graph: DiskGraph;
  readonly buildDir: string;
  readonly imageDir: string;
  /** Where temporary images are written: beside the final ones. */
  readonly staging: string;
  /** Of this build, in the layer store; absent: layers are neither read nor kept. */
  readonly layersDir?: string;
  /** Keys of the layers that a build which failed has made, and that this one resumes. */
  readonly resumed: readonly string[];
  readonly terminal: boolean;
  /** Of the caller: images get its permissions, hooks a fixed one. */
  readonly umask: number;
  /** The PID namespace of the command's process. */
  readonly outerNamespace: string;
}

/** Later lines to the engine. */
export type EngineControl =
  /** Stop and say so: `signal` is the number that asked for it. */
  | { readonly control: 'stop'; readonly signal: number }
  /** The terminal is yours until the next `break-end`. */
  | { readonly control: 'terminal' };
