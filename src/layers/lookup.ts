/** Which stored layer can stand for the next part of a build. Reads the store, changes nothing. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type AgeRule, type Change, changesSince, type PhaseInputs } from './match.ts';
import { hasMark, type OwnerMark } from './owner-mark.ts';
import { slotOf } from './record.ts';
import { isTorn, type LayerStore, type StoredLayer } from './store.ts';
import { missingBinds } from './tree-stack.ts';

export interface LookupRules {
  readonly version: string;
  readonly arch: string;
  /** Layers that used undeclared things from the network live as long. */
  readonly maxAgeMs: number;
  /** Layers of a build that failed: to resume it, neither their age nor the mirrors are asked about. */
  readonly resumed: ReadonlySet<string>;
  /** Layers that are not used, besides those that are marked in the store. */
  readonly torn?: ReadonlySet<string>;
  /** Of layers with the owners and attributes that the build sees. */
  readonly mark: OwnerMark;
}

export type Lookup =
  | { readonly kind: 'hit'; readonly layer: StoredLayer }
  /** `changes` of the nearest candidate; undefined when there is none. */
  | { readonly kind: 'miss'; readonly changes: readonly Change[] | undefined };

export interface LookupRequest {
  readonly parent: string;
  readonly phase: string;
  readonly inputs: PhaseInputs;
  /** Layers of more hooks are not asked for. */
  readonly most?: number;
}

/** Where children of a layer are, of one phase. */
export function slotFor(
  parent: string,
  phase: string,
  { version, arch, mark }: Pick<LookupRules, 'version' | 'arch' | 'mark'>,
): string {
  const owners = mark === undefined ? {} : { owners: 'mapped' as const };
  return slotOf({ version, arch, parent, phase, ...owners });
}

/** The newest fitting layer that covers most hooks. */
export async function lookUp(
  request: LookupRequest,
  store: LayerStore,
  rules: LookupRules,
): Promise<Lookup> {
  const { parent, phase, inputs, most = inputs.hooks.length } = request;
  const slot = slotFor(parent, phase, rules);
  const age: AgeRule = { nowMs: Date.now(), maxAgeMs: rules.maxAgeMs };
  const whole = (await store.candidates(slot)).filter(
    ({ key, directory }) =>
      !isTorn(directory) && rules.torn?.has(key) !== true && hasMark(directory, rules.mark),
  );
  const candidates = whole.map((layer) => ({
    layer,
    changes: changesSince(layer.record, inputs, age).filter(
      ({ kind }) => !(rules.resumed.has(layer.key) && (kind === 'age' || kind === 'external')),
    ),
  }));
  const fitting = candidates
    .filter(
      ({ layer, changes }) => changes.length === 0 && layer.record.inputs.hooks.length <= most,
    )
    .sort((a, b) => b.layer.record.inputs.hooks.length - a.layer.record.inputs.hooks.length);
  const lacking: (readonly Change[])[] = [];
  for (const { layer } of fitting) {
    const missing = await missingBinds(layer.record.binds, inputs.runPaths);
    if (missing.length === 0) {
      return { kind: 'hit', layer };
    }
    lacking.push(missing.map((what) => ({ kind: 'bind', what, how: 'removed' })));
  }
  const others = candidates.map(({ changes }) => changes).filter(({ length }) => length > 0);
  const [nearest] = [...lacking, ...others].sort((a, b) => a.length - b.length);
  return { kind: 'miss', changes: nearest };
}

/**
 * Reads files of the hook tree as it is on top of some layers: what a layer wrote, else what elements
 * brought. Undefined for what is not there. `layers`: where they are now, from the lowest up.
 */
export function textReader(
  layers: () => readonly string[],
  sourceOf: (path: string) => string | undefined,
): (path: string) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (name) => {
    if (!known.has(name)) {
      known.set(name, readFirst([...layers().toReversed().map(inLayer), sourceOf(name)]));
    }
    return known.get(name);

    function inLayer(directory: string): string {
      return path.join(directory, 'hooks', name);
    }
  };
}

function readFirst(files: readonly (string | undefined)[]): string | undefined {
  for (const file of files) {
    // Asked first: few layers have written any, and to make an error takes longer.
    if (file === undefined || !existsSync(file)) {
      continue;
    }
    try {
      return readFileSync(file, 'latin1');
    } catch {
      // Not in that one.
    }
  }
  return undefined;
}
