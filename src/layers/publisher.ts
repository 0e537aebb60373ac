/**
 * Layers on their way into the store, one after the other, beside the build that goes on.
 *
 * A layer that was made in memory is copied once, and flushed to the disk; one that was made in the store's file system
 * is only renamed. What cannot be put there (a full disk) ends the keeping, not the build.
 */
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { type Failed, type Failure, failureOf, hostError } from '../events/failure.ts';
import { Background } from '../sandbox/background.ts';
import { runTool } from '../sandbox/process.ts';
import type { LayerRecord } from './record.ts';
import {
  copyMeasured,
  isUnsynced,
  type LayerStore,
  measureTree,
  tornMark,
  unsyncedMark,
} from './store.ts';
import { currentBoot } from './whole.ts';

/** No more of the copies is left to the kernel, which gets to it late: all at once, beside the writing of images. */
const FLUSH_BYTES = 32 * 2 ** 20;

/** A layer that is complete, but for what its tree measures. */
export interface MadeLayer {
  /** Has `tree/`, `hooks/` and so on; not in use by anybody who writes. */
  readonly directory: string;
  readonly inMemory: boolean;
  readonly record: Omit<LayerRecord, 'sizeBytes' | 'entries' | 'listing'>;
}

/** What is said where a layer cannot be kept for lack of room. */
export function noRoomIn({ directory }: LayerStore): string {
  return `No space left on the device with the layer store, '${directory}'. To make room: dibkit cache prune`;
}

/** False where there was no room in the store for what was to be written. */
export async function hasRoom(write: () => Promise<void>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (failureOf(error).kind === 'disk-full') {
      return false;
    }
    throw error;
  }
}

export class Publisher {
  readonly #store: LayerStore;
  readonly #build: string;
  /** Never rejects. */
  #queue: Promise<unknown> = Promise.resolve();
  #fault: string | undefined;
  readonly #errors: unknown[] = [];
  readonly #removals: Promise<unknown>[] = [];
  readonly #beside = new Background();
  /** Layers whose contents may not be on the disk yet. */
  readonly #unsynced = new Set<string>();
  /** Layers that this build has copied, and may have used from there. */
  readonly #copied: string[] = [];
  /** What copies have that the disk may not have taken. */
  #unflushedBytes = 0;
  #lost: Failed | undefined;
  #number = 0;

  /** `build`: the build's own directory in the store. */
  constructor(store: LayerStore, build: string) {
    this.#store = store;
    this.#build = build;
  }

  /** Why layers no longer get into the store. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Publishes after all that came before. Resolves, never rejects, with whether it is there. */
  add(layer: MadeLayer, context: Context): Promise<boolean> {
    const published = this.#queue.then(() => this.#try(layer, context));
    this.#queue = published;
    return published;
  }

  /** Does something small once all that came before is in the store, or cannot get there. */
  afterwards(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((error: unknown) => this.#errors.push(error));
  }

  /** Removes directories in memory that nobody uses any more, beside everything else. */
  remove(directories: readonly string[], context: Context): void {
    if (directories.length === 0) {
      return;
    }
    const argv = ['rm', '-rf', '--one-file-system', '--', ...directories] as const;
    this.#removals.push(
      this.#beside.run([...argv], context).catch(() => {
        // They go with the build.
      }),
    );
  }

  /** Makes sure that a layer of the store is on the disk, with the next `sync`, if that is not known. */
  sees(layer: string): void {
    if (isUnsynced(layer)) {
      this.#unsynced.add(layer);
    }
  }

  /**
   * Has the disk take what came before, where a loss of power would not show that it has not. `copies`: and what this
   * build has copied, as images are to be made of it.
   */
  sync(what: { readonly copies: boolean }, context: Context): void {
    this.afterwards(async () => {
      if (this.#unsynced.size > 0 || (what.copies && this.#unflushedBytes > 0)) {
        await this.#flush(context, 'urgent');
      }
    });
  }

  /** Has the disk take all that has been written to the store. */
  async #flush(context: Context, how: 'urgent' | 'beside'): Promise<void> {
    const argv = ['sync', '-f', this.#store.directory] as const;
    const running =
      how === 'urgent'
        ? runTool(argv, context, { announce: false })
        : this.#beside.run(argv, context);
    const isOnDisk = await running.then(
      () => true,
      () => false,
    );
    if (context.signal.aborted) {
      return;
    }
    if (!isOnDisk) {
      await this.#lose(this.#copied);
      return;
    }
    this.#unflushedBytes = 0;
    for (const layer of this.#unsynced) {
      await rm(unsyncedMark(layer), { force: true });
    }
    this.#unsynced.clear();
  }

  /**
   * Waits for the last `sync`. Copies are all that there is of what hooks have made, and what the disk did not take may
   * be read as something else. @throws Failed `host`
   */
  async assertOnDisk(): Promise<void> {
    await this.#queue;
    this.assertNotLost();
  }

  /** What is known so far: no hook need run on what the disk has lost. @throws Failed `host` */
  assertNotLost(): void {
    if (this.#lost !== undefined) {
      throw this.#lost;
    }
  }

  async #lose(copied: readonly string[]): Promise<void> {
    if (copied.length === 0) {
      return;
    }
    this.#lost = hostError(
      `The disk did not take all that was written to the layer store, '${this.#store.directory}': images made of it may be wrong`,
      'See why in the messages of the kernel (dmesg), or use another disk: --image-cache DIR. The layers of this build are not used again',
    );
    for (const layer of copied) {
      await writeFile(tornMark(layer), await currentBoot()).catch(() => {
        // It is the same disk.
      });
    }
  }

  /** Waits for everything, which from now on is urgent. @throws what something small threw. */
  async settle(context: Context): Promise<void> {
    await this.#beside.hurry(context);
    await Promise.all([this.#queue, ...this.#removals]);
    if (this.#errors.length > 0) {
      throw this.#errors[0];
    }
  }

  async #try(layer: MadeLayer, context: Context): Promise<boolean> {
    if (this.#fault !== undefined) {
      return false;
    }
    try {
      await this.#publish(layer, context);
      return true;
    } catch (error) {
      this.#fault = 'a layer below could not be kept';
      if (!context.signal.aborted) {
        const text = `What phase ${layer.record.phase} did is not kept for the next build: ${this.#why(failureOf(error))}`;
        context.emit({ kind: 'message', level: 'warning', text });
      }
      return false;
    }
  }

  #why(failure: Failure): string {
    if (failure.kind === 'disk-full') {
      return noRoomIn(this.#store);
    }
    return (failure.kind === 'tool' && failure.lastLines.at(-1)) || failure.message;
  }

  async #publish({ directory, inMemory, record }: MadeLayer, context: Context): Promise<void> {
    if (!inMemory) {
      const measured = await measureTree(path.join(directory, 'tree'), context);
      await writeFile(unsyncedMark(directory), '');
      await this.#store.publish(directory, { ...record, ...measured });
      this.#unsynced.add(this.#store.pathOf(record.key));
      return;
    }
    this.#number += 1;
    const copy = path.join(this.#build, `copy.${this.#number}`);
    try {
      const measured = await copyMeasured(
        { from: directory, to: copy, beside: this.#beside },
        context,
      );
      await this.#store.publish(copy, { ...record, ...measured });
      this.#copied.push(this.#store.pathOf(record.key));
      // One that is empty has its record.
      this.#unflushedBytes += measured.sizeBytes + 1;
    } catch (error) {
      await rm(copy, { recursive: true, force: true });
      throw error;
    }
    if (this.#unflushedBytes > FLUSH_BYTES) {
      await this.#flush(context, 'beside');
    }
  }
}
