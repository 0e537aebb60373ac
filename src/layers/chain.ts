/**
 * The layers of one running build: which are reused, which is being made, which have been kept.
 *
 *     lookUp ──hit──▶ use ──▶ lookUp ...
 *        └──miss──▶ claim, begin ──▶ (hooks run) ──▶ keep ──▶ lookUp ...
 *
 * Once something cannot be kept, nothing after it can: it would stand on ground that is not in the store.
 */
import { appendFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { readMemory } from '../sandbox/memory.ts';
import type { Mount } from '../sandbox/mounts.ts';
import type { ChainRequest, KeepRequest } from './chain-request.ts';
import { Claims, requestId } from './claim.ts';
import type { TreeLayers } from './finished.ts';
import { Links } from './links.ts';
import { type Lookup, type LookupRequest, lookUp, slotFor } from './lookup.ts';
import type { PhaseInputs } from './match.ts';
import { putMark } from './owner-mark.ts';
import { hasRoom, noRoomIn, Publisher } from './publisher.ts';
import { keyOf, LAYER_FORMAT } from './record.ts';
import type { LayerStore, StoredLayer } from './store.ts';
import { type MeasuredTree, readSize, writeSize } from './tree-size.ts';
import { TreeStack } from './tree-stack.ts';
import { currentBoot, isWhole } from './whole.ts';
import { putWritten, saveWritten, specialFile } from './written-hooks.ts';

export class LayerChain {
  readonly #request: ChainRequest;
  readonly #stack: TreeStack;
  readonly #dry: boolean;
  readonly #publisher: Publisher;
  readonly #links = new Links();
  #memory: boolean;
  #ahead: Promise<void> | undefined;
  #broken: string | undefined;
  #kept = 0;
  readonly #claims: Claims;
  /** Where it could not be written down in the store. */
  readonly #torn = new Set<string>();

  private constructor(
    request: ChainRequest,
    stack: TreeStack,
    how: { readonly dry: boolean; readonly memory: boolean },
  ) {
    this.#request = request;
    this.#stack = stack;
    this.#publisher = new Publisher(request.store, request.place.build);
    this.#claims = new Claims(request.store, this.#publisher);
    this.#dry = how.dry;
    this.#memory = how.memory;
  }

  /** Undefined where no overlay can be mounted. The caller has made `place.build`. */
  static async open(request: ChainRequest, context: Context): Promise<LayerChain | undefined> {
    const stack = new TreeStack(request.place);
    const [memory, inStore] = await Promise.all([
      stack.probe('memory', context),
      stack.probe('store', context),
    ]);
    return inStore ? new LayerChain(request, stack, { dry: false, memory }) : undefined;
  }

  get store(): LayerStore {
    return this.#request.store;
  }

  /** A chain that looks layers up, and neither holds on to them nor makes any. */
  static dry(request: ChainRequest): LayerChain {
    return new LayerChain(request, new TreeStack(request.place), { dry: true, memory: false });
  }

  get isDry(): boolean {
    return this.#dry;
  }

  /** Keys from the lowest layer up. */
  get keys(): readonly string[] {
    return this.#links.keys;
  }

  /** Directories of the layers, from the lowest up. */
  get directories(): readonly string[] {
    return this.#links.directories;
  }

  /** The tree in its parts, those that were not kept included. */
  get parts(): TreeLayers {
    // While nothing is broken, hooks have left nothing there: only who writes images has, such as times for a FAT.
    const upper = this.broken === undefined ? undefined : this.#stack.upper;
    return {
      layers: this.#links.trees,
      ...(upper === undefined ? {} : { top: upper }),
    };
  }

  /** Key of the highest layer. */
  get top(): string | undefined {
    return this.#links.top?.key;
  }

  /** What the tree is known by, for ever: a layer that was removed and made anew is another one of the same key. */
  get identity(): string | undefined {
    const { top } = this.#links;
    return top && `${top.key} ${top.created}`;
  }

  /** Why nothing more is kept; undefined while all is in order. */
  get broken(): string | undefined {
    return this.#broken ?? this.#publisher.fault;
  }

  get mounted(): boolean {
    return this.#stack.mounted;
  }

  /**
   * From here on nothing is kept: what is in the tree is not what hooks make of their inputs. Whoever
   * waits for it makes it.
   */
  breakOff(why: string): void {
    this.#broken ??= why;
    this.release();
  }

  /** Unmounts a tree that nothing has run in, if one is mounted. */
  async drop(context: Context): Promise<void> {
    await this.#isAhead();
    await this.#stack.drop(context);
  }

  /** Looks for the next layer, and holds on to it when there is one. */
  async lookUp(request: Omit<LookupRequest, 'parent'>, context: Context): Promise<Lookup> {
    const { store } = this.#request;
    const rules = { ...this.#request.rules, torn: this.#torn };
    const here = { ...request, parent: this.#parent };
    const first = await lookUp(here, store, rules);
    if (this.#dry || first.kind === 'miss') {
      return first;
    }
    // It may be removed until we say that we use it.
    await using _choosing = await store.lock('shared', context);
    for (;;) {
      const found = await lookUp(here, store, rules);
      if (found.kind === 'miss') {
        return found;
      }
      const { key } = found.layer;
      if (!(await hasRoom(() => this.#register(key)))) {
        this.breakOff(noRoomIn(store));
        const text = `Layers are not reused or kept from here on: ${noRoomIn(store)}`;
        context.emit({ kind: 'message', level: 'warning', text });
        return { kind: 'miss', changes: undefined };
      }
      if (await isWhole(found.layer, context)) {
        return found;
      }
      this.#torn.add(key);
      const text = `The layer ${key} was torn when the machine stopped: it is not used`;
      context.emit({ kind: 'message', level: 'warning', text });
    }
  }

  /** The build goes on from this layer: what it wrote in the hook tree is put there. */
  async use(layer: StoredLayer, context: Context): Promise<void> {
    await this.drop(context);
    const { hooksDir, store } = this.#request;
    const { key, directory, record } = layer;
    const changes = { written: record.hooksWritten, removed: record.hooksRemoved };
    await putWritten(directory, changes, hooksDir);
    if (!this.#dry) {
      await store.touch(key);
      this.#publisher.sees(directory);
    }
    const { phase, created } = record;
    this.#links.push({ key, directory, phase, created, isKept: true });
    this.#stack.expectBinds(record.binds);
  }

  /**
   * Takes the right to make what comes next. Whoever else wants the same waits here; look again
   * afterwards.
   */
  async claim(phase: string, inputs: PhaseInputs, context: Context): Promise<void> {
    if (this.#dry) {
      return;
    }
    const id = requestId(this.#slot(phase), phase, inputs);
    await this.#claims.take({ id, phase }, context);
  }

  release(): void {
    this.#claims.release();
  }

  /** Whether something of this build has been made anew: then there is nothing to compare with above it. */
  get isNew(): boolean {
    return this.#kept > 0;
  }

  /**
   * Begins to mount the tree beside what is done until `begin`, where that is likely to come: on top of a layer that
   * this build has made, only another build at the same time can have made the next one.
   */
  beginAhead(context: Context): void {
    if (!this.isNew || this.broken !== undefined || this.#stack.mounted) {
      return;
    }
    this.#ahead = this.#mountAhead(context);
    // Told to whoever waits for it.
    this.#ahead.catch(() => {});
  }

  async #mountAhead(context: Context): Promise<void> {
    // To leave memory waits for all copies, and then the next phase may be in the store.
    if (!this.#memory || (await this.#hasMemory())) {
      await this.#mount(context);
    }
  }

  async #mount(context: Context): Promise<void> {
    this.#links.useCopies();
    await this.#stack.begin(this.#links.uppers, this.#memory ? 'memory' : 'store', context);
    this.#publisher.remove(this.#links.takeLeft(), context);
  }

  /** Waits for what has been begun. */
  async #isAhead(): Promise<void> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    await ahead;
  }

  /** Mounts the tree, if it is not mounted yet. */
  async begin(context: Context): Promise<void> {
    await this.#isAhead();
    if (this.#stack.mounted) {
      return;
    }
    if (this.#memory && !(await this.#hasMemory())) {
      await this.#leaveMemory(context);
    }
    await this.#mount(context);
  }

  /** Whether one more upper may lie in memory. */
  async #hasMemory(): Promise<boolean> {
    return (await readMemory()).availableKiB >= this.#request.minMemoryKiB;
  }

  /** Goes on in the store's file system, and gives back what layers take of the memory. */
  async #leaveMemory(context: Context): Promise<void> {
    this.#memory = false;
    await this.#publisher.settle(context);
    if (this.#publisher.fault !== undefined) {
      // Nothing else has these layers.
      return;
    }
    this.#links.useCopies();
    for (const directory of this.#links.takeLeft()) {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /**
   * Makes a layer of what was done since `begin`; false when the tree goes on as it is. One in memory gets
   * into the store beside what comes next: `settle` waits for it. `remount`: the work goes on, with these mounts in
   * the tree; where that can be done in one go, `mounted` says so. @throws Failed `host` as `assertOnDisk`
   */
  async keep(request: KeepRequest, context: Context, remount?: readonly Mount[]): Promise<boolean> {
    if (this.broken !== undefined) {
      return false;
    }
    this.#publisher.assertNotLost();
    const special = specialFile(this.#request.hooksDir, request.hooksWritten);
    if (special !== undefined) {
      this.breakOff(`${special} in the hook tree is no file that can be copied`);
      return false;
    }
    const goesOn = remount !== undefined && this.#memory && (await this.#hasMemory());
    this.#links.useCopies();
    const onTop = goesOn ? { trees: this.#links.uppers, mounts: remount } : undefined;
    const outcome = await this.#stack.take(context, onTop);
    if (outcome.kind === 'kept') {
      if (outcome.lasting) {
        this.breakOff(outcome.why);
      }
      return false;
    }
    this.#publisher.remove(this.#links.takeLeft(), context);
    const { directory, inMemory, binds } = outcome.taken;
    const { store, hooksDir, rules } = this.#request;
    const slot = this.#slot(request.phase);
    let key = keyOf(slot, request.inputs);
    const created = new Date().toISOString();
    const { phase } = request;
    const isKept = await hasRoom(async () => {
      await saveWritten(hooksDir, request.hooksWritten, directory);
      await request.saveBeside(path.join(directory, 'beside'));
      putMark(directory, rules.mark);
      // At once, one after the other: another build may look for a free one.
      key = store.freeKey(key);
      await this.#register(key);
    });
    if (!isKept) {
      this.breakOff(noRoomIn(store));
      this.#links.push({ key, phase, created, isKept, directory });
      await this.begin(context);
      return false;
    }
    const record = {
      format: LAYER_FORMAT,
      key,
      parent: this.#parent,
      phase,
      created,
      boot: await currentBoot(),
      durationMs: Math.round(request.durationMs),
      inputs: request.inputs,
      read: request.read,
      binds,
      hooksWritten: request.hooksWritten,
      hooksRemoved: request.hooksRemoved,
      undeclaredNetwork: request.undeclaredNetwork,
      image: this.#request.image,
    };
    const published = this.#publisher.add({ directory, inMemory, record }, context);
    void published.then((isThere) => isThere && this.#links.addCopy(key, store.pathOf(key)));
    const isStored = !inMemory && (await published);
    this.#links.push({
      key,
      phase,
      created,
      isKept,
      directory: isStored ? store.pathOf(key) : directory,
    });
    this.#kept += 1;
    return true;
  }

  /** Notes how large the whole tree is, for builds that get to this layer again. */
  noteSize(size: MeasuredTree): void {
    const { top } = this;
    if (top === undefined || this.broken !== undefined) {
      return;
    }
    const { build } = this.#request.place;
    this.#publisher.afterwards(() => writeSize(this.store.sizeFile(top), size, build));
  }

  /** How large the whole tree is, where a build has measured it. */
  async knownSize(): Promise<MeasuredTree | undefined> {
    const { top } = this;
    return top === undefined || this.broken !== undefined
      ? undefined
      : readSize(this.store.sizeFile(top));
  }

  /** No more layers are to come: what has to be on the disk gets there beside what the build does next. */
  complete(context: Context): void {
    this.#publisher.sync({ copies: true }, context);
  }

  /** As `Publisher.assertOnDisk`: before images that are made of the layers are anybody's. */
  async assertOnDisk(): Promise<void> {
    await this.#publisher.assertOnDisk();
  }

  /** Waits until all that was kept is in the store, or cannot get there. */
  async settle(context: Context): Promise<void> {
    this.#publisher.sync({ copies: false }, context);
    await this.#publisher.settle(context);
  }

  /** As `TreeStack.expectLabels`. */
  expectLabels(): void {
    this.#stack.expectLabels();
  }

  /** Hooks' mounts end here: the next tree is mounted without them. */
  forgetBinds(): void {
    this.#stack.expectBinds([]);
  }

  get #parent(): string {
    return this.top ?? '';
  }

  #slot(phase: string): string {
    return slotFor(this.#parent, phase, this.#request.rules);
  }

  /** Before it is used: whoever removes layers reads it. */
  async #register(key: string): Promise<void> {
    await appendFile(path.join(this.#request.place.build, 'keys'), `${key}\n`);
  }
}
