/**
 * Whether a recorded layer still fits, and if not, what changed. Pure.
 *
 * What is compared is what the phase has used: a file that it did not read, or a variable that it
 * does not name, may change.
 */
import { digestOf, sha256 } from './digest.ts';
import { countedElementFiles } from './element-files.ts';
import { readsHome } from './home.ts';
import type { LayerInputs, LayerRecord } from './record.ts';
import { countedVariables } from './variables.ts';

/** One input that is not what it was. */
export interface Change {
  readonly kind:
    | 'variable'
    | 'hook'
    | 'name'
    | 'file'
    | 'listing'
    | 'element-file'
    | 'external'
    | 'engine'
    | 'bind'
    | 'age';
  readonly what: string;
  readonly how: 'added' | 'removed' | 'changed';
}

/** All that a phase could depend on, as it is now. */
export interface PhaseInputs {
  /** On the host with the digests of the files that a variable names behind its value. */
  readonly environment: Readonly<Record<string, string>>;
  /** By variable, the digest of the directories that it names: they count where a text that was read names it. */
  readonly directories: Readonly<Record<string, string>>;
  /** Paths that vary by run, and what stands for them. */
  readonly runPaths: ReadonlyMap<string, string>;
  /** The hooks that are to run, in order. */
  readonly hooks: readonly string[];
  /** As in `LayerInputs`. */
  readonly names: readonly string[];
  /** Digest of content and mode of every file of the elements' hook tree. */
  readonly files: ReadonlyMap<string, string>;
  /** Names in each folder of the elements' hook tree, as a digest. */
  readonly folders: ReadonlyMap<string, string>;
  readonly elementFiles: Readonly<Record<string, string>>;
  readonly external: Readonly<Record<string, string>>;
  readonly engine: Readonly<Record<string, string>>;
  /** The text of a file of the hook tree, layers included; undefined where there is none. */
  readonly textOf: (path: string) => string | undefined;
}

/** How long a layer may live that took things from the network which nobody declared. */
export interface AgeRule {
  readonly nowMs: number;
  readonly maxAgeMs: number;
}

/** What `fingerprint.d` says of an input that it was told not to look at: whatever was used will do. */
export const OFFLINE = 'offline';

/** What it says of an input that could not be asked: nothing that was made from it fits. */
export const UNKNOWN = 'unknown';

/** What was used by a phase that has read these files. */
export function usedInputs(
  now: PhaseInputs,
  used: {
    readonly hooks: readonly string[];
    /** All, in the hook tree. */
    readonly read: readonly string[];
    /** Those of `read` that are still the elements' own. */
    readonly own: readonly string[];
    readonly listed: readonly string[];
  },
): LayerInputs {
  const isNamed = namedIn(used.read, now.textOf);
  return {
    environment: variablesOf(now, isNamed),
    hooks: used.hooks,
    names: now.names,
    files: pick(now.files, used.own),
    listed: pick(now.folders, used.listed),
    elementFiles: countedElementFiles(now.elementFiles, textsOf(used.read, now)),
    external: now.external,
    engine: now.engine,
  };
}

/** What is different now; nothing: the layer can be used. */
export function changesSince(
  record: LayerRecord,
  now: PhaseInputs,
  age: AgeRule,
): readonly Change[] {
  const { inputs } = record;
  const isNamed = namedIn(record.read, now.textOf);
  const variables = variablesOf(now, isNamed);
  const elementFiles = countedElementFiles(now.elementFiles, textsOf(record.read, now));
  return [
    ...hookChanges(inputs.hooks, now.hooks),
    ...setChanges('name', inputs.names, now.names),
    ...mapChanges('file', inputs.files, pick(now.files, Object.keys(inputs.files))),
    ...mapChanges('listing', inputs.listed, pick(now.folders, Object.keys(inputs.listed))),
    ...mapChanges('variable', inputs.environment, variables),
    ...mapChanges('element-file', inputs.elementFiles, elementFiles),
    ...mapChanges('external', inputs.external, withOffline(now.external, inputs.external)),
    ...unknown(now.external, inputs.external),
    ...mapChanges('engine', inputs.engine, now.engine),
    ...ageChanges(record, age),
  ];
}

/** The digest of content and permission bits that stands for a file. */
export function fileDigest(content: string | Uint8Array, mode: number): string {
  return `${(mode & 0o7777).toString(8)}:${sha256(content)}`;
}

/** Names variables only to hand them on: what it starts is in the text that calls it. */
const HANDS_ON = 'host-bin/sudo';

/** Whether one of these files names a word, or goes home without naming it; answers are kept. */
function namedIn(
  paths: readonly string[],
  textOf: (path: string) => string | undefined,
): (word: string) => boolean {
  const answers = new Map<string, boolean>();
  return (word) => {
    const known = answers.get(word);
    if (known !== undefined) {
      return known;
    }
    const says = word === 'HOME' ? readsHome : (text: string) => text.includes(word);
    const answer = paths.some((path) => path !== HANDS_ON && says(textOf(path) ?? ''));
    answers.set(word, answer);
    return answer;
  };
}

function textsOf(paths: readonly string[], { textOf }: PhaseInputs): readonly string[] {
  return paths.flatMap((path) => textOf(path) ?? []);
}

/** Digests of the variables that count, with what they name. */
function variablesOf(
  { environment, directories, runPaths }: PhaseInputs,
  isNamed: (word: string) => boolean,
): Readonly<Record<string, string>> {
  const counted = countedVariables(environment, runPaths, isNamed);
  const named = Object.entries(directories).filter(([name]) => name in counted && isNamed(name));
  return digests({
    ...counted,
    ...Object.fromEntries(named.map(([name, state]) => [name, `${counted[name]} ${state}`])),
  });
}

function digests(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, digestOf(value).slice(0, 16)]),
  );
}

function pick(
  map: ReadonlyMap<string, string>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...names].sort().flatMap((name) => {
      const value = map.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** The recorded hooks must be the first ones of now: those after them are other layers' business. */
function hookChanges(recorded: readonly string[], now: readonly string[]): readonly Change[] {
  return setChanges('hook', recorded, now.slice(0, recorded.length));
}

function setChanges(
  kind: Change['kind'],
  before: readonly string[],
  after: readonly string[],
): readonly Change[] {
  const [old, fresh] = [new Set(before), new Set(after)];
  return [
    ...after
      .filter((what) => !old.has(what))
      .map((what) => ({ kind, what, how: 'added' as const })),
    ...before
      .filter((what) => !fresh.has(what))
      .map((what) => ({ kind, what, how: 'removed' as const })),
  ];
}

function mapChanges(
  kind: Change['kind'],
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly Change[] {
  return [
    ...setChanges(kind, Object.keys(before), Object.keys(after)),
    ...Object.keys(after)
      .filter((what) => what in before && before[what] !== after[what])
      .map((what) => ({ kind, what, how: 'changed' as const })),
  ];
}

function withOffline(
  now: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(now).map(([name, value]) => [
      name,
      value === OFFLINE ? (before[name] ?? value) : value,
    ]),
  );
}

/** Those that are known to be others are told already. */
function unknown(
  now: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>>,
): readonly Change[] {
  return Object.keys(now)
    .filter((what) => now[what] === UNKNOWN && before[what] === UNKNOWN)
    .map((what) => ({ kind: 'external', what, how: 'changed' }));
}

function renderAge(ms: number): string {
  return ms < 3_600_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.floor(ms / 3_600_000)} h`;
}

function ageChanges(record: LayerRecord, age: AgeRule): readonly Change[] {
  const ageMs = age.nowMs - Date.parse(record.created);
  return record.undeclaredNetwork && ageMs >= age.maxAgeMs
    ? [{ kind: 'age', what: renderAge(ageMs), how: 'changed' }]
    : [];
}
