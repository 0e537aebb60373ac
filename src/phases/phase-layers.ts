/**
 * One phase after the other on the layer chain: what need not run because a layer has it, and what is
 * recorded of what runs.
 *
 * A phase is cut after a hook that took long, so that a change in a later one does not repeat it. A cut
 * costs about as much as CUT_AFTER_MS / 10 (measured, see docs/architecture.md).
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import {
  type Beside,
  type BesideState,
  besideNow,
  restoreBeside,
  saveBeside,
} from '../layers/beside.ts';
import type { LayerChain } from '../layers/chain.ts';
import { reasonsOf } from '../layers/explain.ts';
import { textReader } from '../layers/lookup.ts';
import { mayCut } from '../layers/lower-names.ts';
import { type PhaseInputs, usedInputs } from '../layers/match.ts';
import type { StoredLayer } from '../layers/store.ts';
import { type Armed, armTrace, changesIn, readSince } from '../layers/trace.ts';
import { listEntries } from '../run-parts/list.ts';
import { selectHooks } from '../run-parts/select.ts';
import { type EnvironmentRequest, phaseEnvironment } from './environment.ts';
import { type Fingerprint, readFingerprint } from './fingerprints.ts';
import { type BuildInputs, visibleNames, withFileContents } from './phase-inputs.ts';
import { PHASES, type Phase, type PhaseName } from './table.ts';

/** A hook that took this long has a layer's end behind it. */
const CUT_AFTER_MS = 1000;

export interface LayerSetup {
  readonly chain: LayerChain;
  readonly build: BuildInputs;
  readonly runPaths: ReadonlyMap<string, string>;
  readonly beside: Beside;
  /** The first phase that runs anew, whatever there is. */
  readonly from?: PhaseName;
}

export interface PhaseEntry {
  readonly phase: Phase;
  /** That the phase would run, in order. */
  readonly hooks: readonly string[];
  readonly environment: EnvironmentRequest;
  /** What the engine puts into the tree before the phase. */
  readonly engine: Readonly<Record<string, string>>;
  /** Somebody wants to stop in this phase. */
  readonly stops: boolean;
  /** What `fingerprint.d` says, where it has been asked already. */
  readonly asked?: Promise<Fingerprint>;
}

interface Tracing {
  readonly armed: Armed;
  /** The tree that hooks read: the armed one or, in the target, a copy. */
  seen: string;
  readonly read: Set<string>;
  readonly listed: Set<string>;
  readonly before: BesideState;
  readonly connections: number;
  readonly startedAt: number;
}

export class PhaseLayers {
  readonly #setup: LayerSetup;
  /** Paths of the hook tree that are no longer the elements' own. */
  readonly #changed = new Set<string>();
  #entry: PhaseEntry | undefined;
  #inputs: PhaseInputs | undefined;
  #tracing: Tracing | undefined;
  #anew = false;

  constructor(setup: LayerSetup) {
    this.#setup = setup;
  }

  get chain(): LayerChain {
    return this.#setup.chain;
  }

  /** Whether it is noted what hooks read. */
  get traces(): boolean {
    return this.chain.broken === undefined && this.#inputs !== undefined;
  }

  /** How many of the phase's hooks need not run. */
  async enter(entry: PhaseEntry, context: Context): Promise<number> {
    this.#entry = entry;
    this.#inputs = undefined;
    const { phase, hooks, stops } = entry;
    const { chain, from } = this.#setup;
    if (stops) {
      chain.breakOff('the build stops in it');
    }
    this.#anew ||= phase.name === from;
    if (hooks.length === 0 || chain.broken !== undefined) {
      return 0;
    }
    let done = 0;
    while (done < hooks.length) {
      this.#inputs = await this.#gather(entry, done, context);
      const layer = chain.broken === undefined ? await this.#find(context) : undefined;
      if (layer === undefined) {
        return done;
      }
      await this.#reuse(layer, context);
      done += layer.record.inputs.hooks.length;
    }
    return done;
  }

  /** Mounts the tree for what has to run. */
  async begin(context: Context): Promise<void> {
    await this.chain.begin(context);
  }

  /** From now on it is noted what hooks do; `copy` makes the tree that hooks in the target see. */
  async watch(hooksDir: string, copy?: () => Promise<string>): Promise<void> {
    if (this.#tracing === undefined) {
      this.#tracing = {
        armed: armTrace(hooksDir),
        seen: hooksDir,
        read: new Set(),
        listed: new Set(),
        before: await besideNow(this.#setup.beside),
        connections: connectionsOpened(),
        startedAt: performance.now(),
      };
    }
    const seen = await copy?.();
    this.#tracing.seen = seen ?? hooksDir;
  }

  /** Notes what was read, while the tree that hooks saw is still there. */
  note(): void {
    const tracing = this.#tracing;
    if (tracing !== undefined) {
      const { files, folders } = readSince(tracing.seen);
      for (const name of files) {
        tracing.read.add(name);
      }
      for (const name of folders) {
        tracing.listed.add(name);
      }
    }
  }

  /** Whether a phase is to be cut after such a hook. */
  wantsCut(durationMs: number): boolean {
    const { broken, keys } = this.chain;
    return broken === undefined && durationMs >= CUT_AFTER_MS && mayCut(keys.length);
  }

  /** Keeps what these hooks did as a layer; false when it goes into the next one. */
  async keep(ran: readonly string[], context: Context): Promise<boolean> {
    const tracing = this.#tracing;
    const entry = this.#entry;
    const inputs = this.#inputs;
    if (tracing === undefined || entry === undefined || inputs === undefined) {
      return false;
    }
    const { chain, beside } = this.#setup;
    const changes = changesIn(tracing.armed);
    const read = [...tracing.read].sort();
    const own = read.filter((name) => !this.#changed.has(name));
    const isHost = entry.phase.where === 'host';
    // Its own folder has been listed by ourselves.
    const listed = [...tracing.listed].filter((name) => name !== `${entry.phase.name}.d`).sort();
    const kept = await chain.keep(
      {
        phase: entry.phase.name,
        inputs: usedInputs(inputs, { hooks: ran, read, own, listed }),
        read,
        hooksWritten: changes.written,
        hooksRemoved: changes.removed,
        undeclaredNetwork:
          connectionsOpened() > tracing.connections &&
          // A file of this host says nothing of what came over the network.
          Object.keys(inputs.external).every((name) => name.startsWith('file:')),
        durationMs: performance.now() - tracing.startedAt,
        saveBeside: async (to) => {
          if (isHost) {
            await saveBeside(beside, { before: tracing.before, to }, context);
          }
        },
      },
      context,
    );
    if (!kept) {
      return false;
    }
    this.#tracing = undefined;
    this.#remember([...changes.written, ...changes.removed]);
    context.emit({
      kind: 'layer',
      outcome: 'kept',
      phase: entry.phase.name,
      hooks: ran,
      reasons: [],
      key: chain.top ?? '',
    });
    return true;
  }

  /** Keeps the end of a phase; what cannot be kept ends the chain. */
  async keepRest(ran: readonly string[], context: Context): Promise<void> {
    if (this.traces && !(await this.keep(ran, context))) {
      this.chain.breakOff('a process that a hook left runs in it');
    }
  }

  /** Readies the rest of a phase that was cut. */
  async cut(done: number, context: Context): Promise<void> {
    const entry = this.#entry;
    if (entry === undefined) {
      throw new Error('There is no phase to cut');
    }
    this.#inputs = await this.#gather(entry, done, context);
    await this.chain.claim(entry.phase.name, this.#inputs, context);
  }

  /** The phase is over, in whatever way. */
  async leave(context: Context): Promise<void> {
    this.chain.release();
    const { broken } = this.chain;
    if (this.#tracing !== undefined && broken !== undefined && this.#entry?.stops === false) {
      context.emit({
        kind: 'message',
        level: 'warning',
        text: `Phase ${this.#entry.phase.name} and those after it are not kept for the next build: ${broken}`,
      });
    }
    if (broken !== undefined) {
      this.#tracing = undefined;
    }
  }

  async #gather(entry: PhaseEntry, done: number, context: Context): Promise<PhaseInputs> {
    const { phase, hooks, environment } = entry;
    const { build, runPaths, chain } = this.#setup;
    const fingerprint =
      done > 0 && this.#inputs !== undefined
        ? { external: this.#inputs.external }
        : await (entry.asked ?? askFingerprint(phase, environment, context));
    if ('uncacheable' in fingerprint) {
      chain.breakOff(String(fingerprint.uncacheable));
    }
    const variables = phaseEnvironment(environment, phase);
    return {
      environment: phase.where === 'host' ? withFileContents(variables) : variables,
      runPaths,
      hooks: hooks.slice(done),
      names: visibleNames(build.names, phase.name, hooks),
      files: build.files,
      folders: build.folders,
      elementFiles: build.elementFiles,
      external: fingerprint.external,
      engine: entry.engine,
      textOf: textReader(chain.directories, build.sourceOf),
    };
  }

  /** A layer that fits; otherwise the right to make one. */
  async #find(context: Context): Promise<StoredLayer | undefined> {
    const phase = this.#entry?.phase.name ?? '';
    const inputs = this.#inputs;
    if (inputs === undefined) {
      throw new Error('Nothing is known of the phase');
    }
    const { chain } = this.#setup;
    if (this.#anew) {
      await chain.claim(phase, inputs, context);
      return this.#miss(['--cache-from asks for it'], context);
    }
    const first = await chain.lookUp({ phase, inputs }, context);
    if (first.kind === 'hit') {
      return first.layer;
    }
    await chain.claim(phase, inputs, context);
    // Somebody may have made it while we looked, or while we waited.
    const second = await chain.lookUp({ phase, inputs }, context);
    return second.kind === 'hit'
      ? second.layer
      : this.#miss(
          second.changes === undefined && chain.isNew
            ? ['what comes before it is new']
            : reasonsOf(second.changes),
          context,
        );
  }

  #miss(reasons: readonly string[], context: Context): undefined {
    const entry = this.#entry;
    context.emit({
      kind: 'layer',
      outcome: 'run',
      phase: entry?.phase.name ?? '',
      hooks: this.#inputs?.hooks ?? [],
      reasons,
    });
    return undefined;
  }

  async #reuse(layer: StoredLayer, context: Context): Promise<void> {
    const { beside } = this.#setup;
    await this.chain.use(layer);
    if (!this.chain.isDry) {
      await restoreBeside(path.join(layer.directory, 'beside'), beside, context);
    }
    this.#remember([...layer.record.hooksWritten, ...layer.record.hooksRemoved]);
    context.emit({
      kind: 'layer',
      outcome: 'reused',
      phase: layer.record.phase,
      hooks: layer.record.inputs.hooks,
      reasons: [],
      key: layer.key,
    });
  }

  #remember(changed: readonly string[]): void {
    for (const name of changed) {
      this.#changed.add(name);
    }
  }
}

/** The hooks of a phase as they are in the hook tree now, in run order. */
export async function hooksOf(
  phase: Phase,
  environment: EnvironmentRequest,
): Promise<readonly string[]> {
  const env = phaseEnvironment(environment, phase);
  const folder = path.join(environment.paths.hooksDir, `${phase.name}.d`);
  return selectHooks(listEntries(folder), env.RUN_PARTS_REGEX).run;
}

/** What `fingerprint.d` says of a phase. @throws Failed `hook`. */
export function askFingerprint(
  phase: Phase,
  environment: EnvironmentRequest,
  context: Context,
): Promise<Fingerprint> {
  const { paths, plan } = environment;
  const env = phaseEnvironment(environment, PHASES[0] ?? phase);
  const { hooksDir } = paths;
  return readFingerprint({ phase: phase.name, hooksDir, env, cwd: plan.image.cwd }, context);
}

/** How many TCP connections have been opened since boot: whoever fetches something opens one. */
function connectionsOpened(): number {
  const lines = readFileSync('/proc/net/snmp', 'utf8').split('\n');
  const [names = '', values = ''] = lines.filter((line) => line.startsWith('Tcp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('ActiveOpens')] ?? 0);
}
