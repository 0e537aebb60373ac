/** The journal as a file: intents before, results after, in the order in which they happen. */
import { promises as fs } from 'node:fs';
import type { Intent, Result, Slot } from './journal-slots.ts';
import {
  parseJournal,
  RESULT_OFFSET,
  renderIntent,
  renderResult,
  SLOT_BYTES,
} from './journal-slots.ts';
import { fileOf } from './package-list.ts';
import { writeWhole } from './write-file.ts';

type Handle = Awaited<ReturnType<typeof fs.open>>;

/** What is known of one package on one architecture: the last that the journal says. */
export type Known = Slot;

export class Journal implements AsyncDisposable {
  readonly #file: string;
  readonly #isReadOnly: boolean;
  readonly #known = new Map<string, Slot>();
  #handle: Promise<Handle> | undefined;
  #slots = 0;

  private constructor(file: string, isReadOnly: boolean) {
    this.#file = file;
    this.#isReadOnly = isReadOnly;
  }

  /** Reads what earlier runs have left. `readOnly` changes nothing. */
  static async open(file: string, options: { readonly readOnly: boolean }): Promise<Journal> {
    const journal = new Journal(file, options.readOnly);
    const content = await fs.readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        return Buffer.alloc(0);
      }
      throw error;
    });
    for (const slot of parseJournal(content)) {
      journal.#known.set(keyOf(slot.intent), slot);
    }
    return journal;
  }

  /** What is known of a package's file on an architecture of a system. */
  about(system: string, architecture: string, file: string): Known | undefined {
    return this.#known.get(`${system} ${architecture} ${file}`);
  }

  /** Everything about one system. */
  ofSystem(system: string): readonly Known[] {
    return [...this.#known.values()].filter(({ intent }) => intent.system === system);
  }

  all(): readonly Known[] {
    return [...this.#known.values()];
  }

  /** On the disk when it resolves: from then on the package may be submitted. */
  async intend(intent: Intent): Promise<(result: Result) => Promise<void>> {
    const handle = await this.#open();
    const position = this.#slots * SLOT_BYTES;
    this.#slots += 1;
    await writeAll(handle, renderIntent(intent), position);
    await handle.sync();
    this.#known.set(keyOf(intent), { intent, result: undefined });
    return async (result) => {
      await writeAll(handle, renderResult(result), position + RESULT_OFFSET);
      await handle.sync();
      this.#known.set(keyOf(intent), { intent, result });
    };
  }

  /** Says something else about what is known already; on the disk after the next `compact`. */
  settle(intent: Intent, result: Result): void {
    this.#known.set(keyOf(intent), { intent, result });
  }

  /** Rewrites the journal with only what `keep` wants of it. */
  async compact(keep: (known: Known) => boolean): Promise<void> {
    await this[Symbol.asyncDispose]();
    for (const [key, known] of this.#known) {
      if (!keep(known)) {
        this.#known.delete(key);
      }
    }
    const parts = [...this.#known.values()].map(({ intent, result }) => {
      const slot = renderIntent(intent);
      if (result !== undefined) {
        renderResult(result).copy(slot, RESULT_OFFSET);
      }
      return slot;
    });
    await writeWhole(this.#file, Buffer.concat(parts));
  }

  /** Once, however many submissions begin at the same time. */
  #open(): Promise<Handle> {
    if (this.#isReadOnly) {
      throw new Error('The journal was opened to be read only');
    }
    this.#handle ??= this.#openFile();
    return this.#handle;
  }

  async #openFile(): Promise<Handle> {
    const handle = await fs.open(this.#file, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        return fs.open(this.#file, 'w+');
      }
      throw error;
    });
    // After a slot that was not written to its end, the next begins at a multiple all the same.
    this.#slots = Math.ceil((await handle.stat()).size / SLOT_BYTES);
    return handle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await (await handle)?.close();
  }
}

function keyOf({ system, architecture, line }: Intent): string {
  return `${system} ${architecture} ${fileOf(line)}`;
}

async function writeAll(handle: Handle, content: Buffer, position: number): Promise<void> {
  for (let done = 0; done < content.length; ) {
    const { bytesWritten } = await handle.write(
      content,
      done,
      content.length - done,
      position + done,
    );
    done += bytesWritten;
  }
}
