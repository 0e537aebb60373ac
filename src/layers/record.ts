/**
 * What is written beside a layer: what went into it, in a shape in which two can be compared.
 *
 * A layer's key is `<slot>-<inputs>`: `slot` says whose child it is and of which phase, `inputs` what
 * else went in. Several layers may share a slot; which of them fits is found by comparing inputs.
 */
import { digestOf } from './digest.ts';

/** Changes when layers of the old shape would be misread. */
export const LAYER_FORMAT = 1;

/** Every value is compared with its counterpart of now; digests stand for values that may be secret or long. */
export interface LayerInputs {
  /** Digest of each variable that counts, with what it names. */
  readonly environment: Readonly<Record<string, string>>;
  /** The hooks that ran, in order, and none after them. */
  readonly hooks: readonly string[];
  /** Paths in the hook tree outside other phases' folders, without the phase's hooks; sorted. */
  readonly names: readonly string[];
  /** Digest of content and mode of the elements' files that were read. */
  readonly files: Readonly<Record<string, string>>;
  /** Names in other folders of hooks that were listed. */
  readonly listed: Readonly<Record<string, string>>;
  /** Files of elements' folders, where hooks go through those and into theirs: `element/file`. */
  readonly elementFiles: Readonly<Record<string, string>>;
  /** What `fingerprint.d` printed. */
  readonly external: Readonly<Record<string, string>>;
  /** What the engine itself put in. */
  readonly engine: Readonly<Record<string, string>>;
}

/** A bind mount that a hook has made, to be made again. */
export interface BindRecord {
  /** Absolute on the host; placeholders for what varies by run. */
  readonly source: string;
  /** Below the target root. */
  readonly target: string;
  readonly readOnly: boolean;
}

export interface LayerRecord {
  readonly format: number;
  readonly key: string;
  /** Key of the layer below; empty for the first. */
  readonly parent: string;
  readonly phase: string;
  /** ISO 8601. */
  readonly created: string;
  /** The boot of the machine that it was made in: after another one it is looked at before it is used. */
  readonly boot: string;
  readonly durationMs: number;
  readonly inputs: LayerInputs;
  /** Every path of the hook tree that was read, those of earlier layers included. */
  readonly read: readonly string[];
  readonly binds: readonly BindRecord[];
  /** Paths in the hook tree that the phase made or changed, and those that it removed. */
  readonly hooksWritten: readonly string[];
  readonly hooksRemoved: readonly string[];
  /** Whether a connection was opened meanwhile and nobody said what came over it. */
  readonly undeclaredNetwork: boolean;
  /** Of the tree: for the budget, and for `verify`. */
  readonly sizeBytes: number;
  readonly entries: number;
  /** Digest of names, modes, owners, sizes and times in the tree. */
  readonly listing: string;
  /** The image and the command that it was made for, for `ls`. */
  readonly image: string;
}

/** Where a layer belongs. */
export interface SlotParts {
  readonly version: string;
  readonly arch: string;
  readonly parent: string;
  readonly phase: string;
  /** Where owners are ids of a range, and marks of the overlay other attributes: in a user namespace. */
  readonly owners?: 'mapped';
}

const SLOT_DIGITS = 24;
const INPUT_DIGITS = 16;

export function slotOf(parts: SlotParts): string {
  return digestOf({ ...parts, format: LAYER_FORMAT }).slice(0, SLOT_DIGITS);
}

export function keyOf(slot: string, inputs: LayerInputs): string {
  return `${slot}-${digestOf(inputs).slice(0, INPUT_DIGITS)}`;
}

/** A key is a name in the store; what is not one is somebody else's. */
export function isKey(name: string): boolean {
  return /^[0-9a-f]{24}-[0-9a-f]{16}(?:\.\d+)?$/.test(name);
}

export function slotOfKey(key: string): string {
  return key.slice(0, SLOT_DIGITS);
}

/** A record from its text; undefined where it is none of this format. */
export function parseRecord(text: string): LayerRecord | undefined {
  try {
    const value = JSON.parse(text) as LayerRecord;
    return value.format === LAYER_FORMAT && typeof value.key === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
