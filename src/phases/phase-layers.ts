/**
 * One phase after the other on the layer chain: what need not run because a layer has it, and what is
 * recorded of what runs.
 */
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { besideNow, restoreBeside, saveBeside } from '../layers/beside.ts';
import type { LayerChain } from '../layers/chain.ts';
import { missReasons } from '../layers/explain.ts';
import { textReader } from '../layers/lookup.ts';
import { type PhaseInputs, usedInputs } from '../layers/match.ts';
import type { StoredLayer } from '../layers/store.ts';
import { readSince } from '../layers/trace.ts';
import type { Mount } from '../sandbox/mounts.ts';
import { isCutHere } from './cut.ts';
import { spokenFor } from './declared-network.ts';
import { phaseEnvironment } from './environment.ts';
import { FINGERPRINT_FOLDER, type Fingerprint } from './fingerprints.ts';
import type { LayerSetup, PhaseEntry } from './layer-setup.ts';
import { readNamedInputs } from './named-inputs.ts';
import { askFingerprint } from './phase-hooks.ts';
import { visibleNames } from './phase-inputs.ts';
import { PhaseTrace } from './phase-trace.ts';
import { PHASES } from './table.ts';
import { HooksCopy } from './target-hooks.ts';

export class PhaseLayers {
  /** That hooks in the target see, while it is noted what they read. */
  readonly copy: HooksCopy;
  /** The phase that was entered last, and why nothing was kept any more before it. */
  at: { readonly phase: string; readonly lost: string | undefined } | undefined;
  readonly #setup: LayerSetup;
  /** Paths of the hook tree that are no longer the elements' own. */
  readonly #changed = new Set<string>();
  #entry: PhaseEntry | undefined;
  #inputs: PhaseInputs | undefined;
  #fingerprint: Fingerprint | undefined;
  #trace: PhaseTrace | undefined;
  /** When, in the time of the trace, a cut was tried in vain. */
  #triedAtMs = 0;
  #anew = false;

  constructor(setup: LayerSetup) {
    this.#setup = setup;
    this.copy = new HooksCopy(setup.hooksCopy);
  }

  get chain(): LayerChain {
    return this.#setup.chain;
  }

  /** Why what was done before this hook is not kept; undefined while all is that a cut could keep. */
  get lost(): string | undefined {
    return this.at?.lost ?? (this.#triedAtMs > 0 ? this.chain.broken : undefined);
  }

  /** Whether it is noted what hooks read. */
  get traces(): boolean {
    return this.chain.broken === undefined && this.#inputs !== undefined;
  }

  /** How many of the phase's hooks need not run. */
  async enter(entry: PhaseEntry, context: Context): Promise<number> {
    this.#entry = entry;
    this.#inputs = undefined;
    const { phase, hooks, beforeStop } = entry;
    const { chain, from } = this.#setup;
    this.at = { phase: phase.name, lost: chain.broken };
    this.#anew ||= phase.name === from;
    const most = chain.broken === undefined ? (beforeStop ?? hooks.length) : 0;
    let done = 0;
    while (done < most) {
      this.#inputs = await this.#gather(entry, done, context);
      const layer = chain.broken === undefined ? await this.#find(most - done, context) : undefined;
      if (layer === undefined) {
        return done;
      }
      await this.#reuse(layer, context);
      done += layer.record.inputs.hooks.length;
    }
    if (beforeStop !== undefined) {
      chain.breakOff('the build stopped there');
    }
    return done;
  }

  /** Mounts the tree for what has to run. */
  async begin(context: Context): Promise<void> {
    await this.chain.begin(context);
  }

  /** From now on it is noted what hooks do. */
  async watch(hooksDir: string): Promise<void> {
    const isHost = this.#entry?.phase.where === 'host';
    this.#trace ??= new PhaseTrace(hooksDir, {
      before: await besideNow(this.#setup.beside),
      look: isHost ? () => readSince(hooksDir) : () => this.copy.readSince(),
    });
  }

  /** Notes what was read, while the tree that hooks saw is still there. */
  note(): void {
    this.#trace?.note();
  }

  /** Told of each hook that begins, and that it has ended. */
  readonly onHook = (hook: string, what: 'start' | 'end'): void => {
    if (what === 'start') {
      this.#trace?.hookStarted();
    } else {
      this.#trace?.hookEnded(hook);
    }
  };

  /** Whether the phase is to be cut here. */
  get wantsCut(): boolean {
    const { broken, keys } = this.chain;
    const took = (this.#trace?.durationMs ?? 0) - this.#triedAtMs;
    const stage = this.#entry?.phase.stage ?? 'root';
    return broken === undefined && isCutHere(took, { stage, layers: keys.length });
  }

  /** Keeps what these hooks did as a layer; false when it goes into the next one. `remount`: as in `LayerChain.keep`. */
  async keep(
    ran: readonly string[],
    context: Context,
    remount?: readonly Mount[],
  ): Promise<boolean> {
    const trace = this.#trace;
    const entry = this.#entry;
    const inputs = this.#inputs;
    if (trace === undefined || entry === undefined || inputs === undefined) {
      return false;
    }
    this.#triedAtMs = trace.durationMs;
    const { chain, beside } = this.#setup;
    const { written, removed } = trace.changes();
    const read = trace.files;
    // What was appended to, or made executable, went into the layer as well.
    const used = [...new Set([...read, ...written, ...removed])];
    const unseen = ran.find((hook) => !used.includes(`${entry.phase.name}.d/${hook}`));
    if (unseen !== undefined) {
      chain.breakOff(
        `the kernel does not note what is read in the hook tree, not even '${unseen}'`,
      );
      return false;
    }
    const own = used.filter((name) => !this.#changed.has(name));
    const isHost = entry.phase.where === 'host';
    // Its own folder has been listed by ourselves.
    const listed = trace.folders.filter((name) => name !== `${entry.phase.name}.d`);
    const counted = usedInputs(inputs, { hooks: ran, read, own, listed });
    if (this.#hasEdited(counted.elementFiles)) {
      chain.breakOff('files in the folders of elements were edited while it ran');
      return false;
    }
    const kept = await chain.keep(
      {
        phase: entry.phase.name,
        inputs: counted,
        read,
        hooksWritten: written,
        hooksRemoved: removed,
        undeclaredNetwork: this.#hasUndeclared(trace.fetching()),
        durationMs: trace.durationMs,
        saveBeside: async (to) => {
          if (isHost) {
            await saveBeside(beside, { before: trace.before, to }, context);
          }
        },
      },
      context,
      remount,
    );
    if (!kept) {
      // Who waits for a process in the tree does so seldom.
      this.#triedAtMs = trace.durationMs;
      return false;
    }
    this.#trace = undefined;
    this.#triedAtMs = 0;
    this.#remember([...written, ...removed]);
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
    // The next phase needs the tree again. After the last one nobody may: the images can be in the store already.
    const remount = this.at?.phase === PHASES.at(-1)?.name ? undefined : [];
    if (this.traces && !(await this.keep(ran, context, remount))) {
      this.chain.breakOff('a process that a hook left runs in it');
    }
  }

  /** Between the stages: a tree that was mounted for hooks, and had none, is mounted anew for the next ones. */
  async endStage(context: Context): Promise<void> {
    if (this.#trace === undefined && this.chain.broken === undefined) {
      await this.chain.drop(context);
    }
    this.chain.expectLabels();
  }

  /** Readies the rest of a phase that was cut: mounts its tree while whoever makes the same is looked for. */
  async cut(done: number, context: Context): Promise<void> {
    const entry = this.#entry;
    if (entry === undefined) {
      throw new Error('There is no phase to cut');
    }
    const mounted = this.begin(context);
    mounted.catch(() => {
      // Told below.
    });
    try {
      this.#inputs = await this.#gather(entry, done, context);
      await this.chain.claim(entry.phase.name, this.#inputs, context);
    } finally {
      await mounted;
    }
  }

  /** The phase is over, in whatever way. */
  async leave(context: Context): Promise<void> {
    this.chain.release();
    const { broken } = this.chain;
    const entry = this.#entry;
    if (this.#trace !== undefined && broken !== undefined && entry?.beforeStop === undefined) {
      context.emit({
        kind: 'message',
        level: 'warning',
        text: `Phase ${entry?.phase.name} and those after it are not kept for the next build: ${broken}`,
      });
    }
    if (broken !== undefined) {
      this.#trace = undefined;
    }
  }

  async #gather(entry: PhaseEntry, done: number, context: Context): Promise<PhaseInputs> {
    const { phase, hooks, environment } = entry;
    const { build, runPaths, chain } = this.#setup;
    const fingerprint =
      done > 0 && this.#fingerprint !== undefined
        ? this.#fingerprint
        : await (entry.asked ?? askFingerprint(phase, environment, context));
    this.#fingerprint = fingerprint;
    if ('uncacheable' in fingerprint) {
      chain.breakOff(String(fingerprint.uncacheable));
    }
    const variables = phaseEnvironment(environment, phase);
    const below = chain.keys.length;
    return {
      ...(phase.where === 'host'
        ? readNamedInputs(variables, environment.plan, (word) => build.mentions(word, phase.name))
        : { environment: variables, directories: {} }),
      runPaths,
      hooks: hooks.slice(done),
      names: visibleNames(build.names, phase.name, hooks),
      files: build.files,
      folders: build.folders,
      elementFiles: build.elementFiles,
      external: fingerprint.external,
      engine: entry.engine,
      textOf: textReader(() => chain.directories.slice(0, below), build.sourceOf),
    };
  }

  /** A layer that fits, of so many hooks at most; otherwise the right to make one. */
  async #find(most: number, context: Context): Promise<StoredLayer | undefined> {
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
    const first = await chain.lookUp({ phase, inputs, most }, context);
    if (first.kind === 'hit') {
      return first.layer;
    }
    if (chain.broken !== undefined) {
      return this.#miss([chain.broken], context);
    }
    await chain.claim(phase, inputs, context);
    // Somebody may have made it while we looked, or while we waited.
    const second = await chain.lookUp({ phase, inputs, most }, context);
    return second.kind === 'hit'
      ? second.layer
      : this.#miss(
          missReasons(second.changes, {
            broken: chain.broken,
            isNew: chain.isNew,
            stops: most < inputs.hooks.length,
          }),
          context,
        );
  }

  /** Whether somebody has edited, since the build began, what hooks read in the folders of elements. */
  #hasEdited(used: PhaseInputs['elementFiles']): boolean {
    const files = Object.entries(used);
    const now = files.length === 0 ? {} : this.#setup.build.elementFilesNow();
    return files.some(([name, state]) => now[name] !== state);
  }

  /** Whether something came over the network that no element has spoken for. */
  #hasUndeclared(fetching: readonly (string | undefined)[]): boolean {
    const { tree, elements } = this.#setup;
    const phase = this.#entry?.phase.name ?? '';
    const hooks = this.#fingerprint?.remote ?? [];
    const declaring = hooks.map(
      (hook) => tree.elementOf(`${FINGERPRINT_FOLDER}/${phase}`, hook) ?? '',
    );
    const spoken = spokenFor(elements, new Set(declaring));
    return fetching.some(
      (hook) => hook === undefined || !spoken.has(tree.elementOf(`${phase}.d`, hook) ?? ''),
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
    await this.chain.use(layer, context);
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
    if (changed.length > 0) {
      this.copy.outdate();
    }
    for (const name of changed) {
      this.#changed.add(name);
    }
  }
}
