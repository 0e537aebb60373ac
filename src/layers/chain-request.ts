/** What a chain of layers is asked for: once, when it is opened, and for each layer that is to be kept. */
import type { LookupRules } from './lookup.ts';
import type { LayerInputs } from './record.ts';
import type { LayerStore } from './store.ts';
import type { StackPlace } from './tree-stack.ts';

export interface ChainRequest {
  readonly store: LayerStore;
  readonly place: StackPlace;
  /** KiB that must be free in memory for an upper to lie there. */
  readonly minMemoryKiB: number;
  readonly rules: LookupRules;
  readonly hooksDir: string;
  /** For `ls`: the image that it is made for. */
  readonly image: string;
}

/** What one part of a phase did, for its record. */
export interface KeepRequest {
  readonly phase: string;
  readonly inputs: LayerInputs;
  readonly read: readonly string[];
  readonly hooksWritten: readonly string[];
  readonly hooksRemoved: readonly string[];
  readonly undeclaredNetwork: boolean;
  readonly durationMs: number;
  /** Fills `beside/` of the layer. */
  readonly saveBeside: (directory: string) => Promise<void>;
}
