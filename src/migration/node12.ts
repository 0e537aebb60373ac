/**
 * What the service uses and Node 12 lacks. Only in the bundle: scripts/bundle-service.mjs puts it in front of
 * everything else, and the modules below in the place of Node's. On a newer Node nothing here replaces
 * what is there.
 *
 * Each piece does as much as the service asks of it, as Node's documentation says it.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { performance as perfHooks } from 'node:perf_hooks';
import stream from 'node:stream';
import util from 'node:util';

/** Defines what is missing, and only that. */
function supply(target: object, pieces: Readonly<Record<string | symbol, unknown>>): void {
  for (const key of Reflect.ownKeys(pieces)) {
    if (!(key in target)) {
      const value = pieces[key as string];
      Object.defineProperty(target, key, { value, configurable: true, writable: true });
    }
  }
}

type Listener = (event: { readonly type: 'abort' }) => void;

class Signal {
  aborted = false;
  reason: unknown;
  readonly #listeners = new Map<Listener, boolean>();

  static abort(reason?: unknown): Signal {
    const controller = new Controller();
    controller.abort(reason);
    return controller.signal;
  }

  static any(signals: readonly Signal[]): Signal {
    const controller = new Controller();
    for (const signal of signals) {
      const follow = (): void => controller.abort(signal.reason);
      if (signal.aborted) {
        follow();
      } else {
        signal.addEventListener('abort', follow, { once: true });
      }
    }
    return controller.signal;
  }

  static timeout(ms: number): Signal {
    const controller = new Controller();
    const error = named('TimeoutError', 'The operation was aborted due to timeout');
    setTimeout(() => controller.abort(error), ms).unref();
    return controller.signal;
  }

  addEventListener(type: string, listener: Listener, options?: { readonly once?: boolean }): void {
    if (type === 'abort' && !this.#listeners.has(listener)) {
      this.#listeners.set(listener, options?.once === true);
    }
  }

  removeEventListener(_type: string, listener: Listener): void {
    this.#listeners.delete(listener);
  }

  throwIfAborted(): void {
    if (this.aborted) {
      throw this.reason;
    }
  }

  /** For the controller. */
  fire(reason: unknown): void {
    if (this.aborted) {
      return;
    }
    this.aborted = true;
    this.reason = reason ?? named('AbortError', 'This operation was aborted');
    for (const [listener, once] of [...this.#listeners]) {
      if (once) {
        this.#listeners.delete(listener);
      }
      listener({ type: 'abort' });
    }
  }
}

class Controller {
  readonly signal = new Signal();

  abort(reason?: unknown): void {
    this.signal.fire(reason);
  }
}

function named(name: string, message: string): Error {
  return Object.assign(new Error(message), {
    name,
    code: name === 'AbortError' ? 'ABORT_ERR' : name,
  });
}

/** As good as can be without Unicode's tables: one code point, one character. */
class Segmenter {
  *segment(text: string): Iterable<{ readonly segment: string }> {
    for (const segment of text) {
      yield { segment };
    }
  }
}

supply(globalThis, { AbortController: Controller, AbortSignal: Signal, performance: perfHooks });
supply(Symbol, {
  asyncDispose: Symbol.for('Symbol.asyncDispose'),
  dispose: Symbol.for('Symbol.dispose'),
});
supply(Intl, { Segmenter });
supply(Object, {
  hasOwn: (target: object, key: string) =>
    Object.getOwnPropertyDescriptor(target, key) !== undefined,
});
supply(Array.prototype, {
  at(this: readonly unknown[], index: number): unknown {
    return this[index < 0 ? this.length + index : index];
  },
});
supply(String.prototype, {
  at(this: string, index: number): string | undefined {
    return this[index < 0 ? this.length + index : index];
  },
  replaceAll(this: string, found: string | RegExp, by: string & ((...args: unknown[]) => string)) {
    const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
    return this.replace(typeof found === 'string' ? new RegExp(escaped(found), 'g') : found, by);
  },
});
supply(URL, {
  canParse(text: string, base?: string): boolean {
    try {
      return new URL(text, base) !== undefined;
    } catch {
      return false;
    }
  },
});
supply(os, { availableParallelism: () => os.cpus().length });
supply(util, {
  stripVTControlCharacters: (text: string) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they start with
    text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, ''),
});

async function rm(
  file: string,
  options: { readonly recursive?: boolean; readonly force?: boolean } = {},
): Promise<void> {
  try {
    const found = await fs.promises.lstat(file);
    if (!found.isDirectory()) {
      await fs.promises.unlink(file);
      return;
    }
    if (options.recursive !== true) {
      throw Object.assign(new Error(`Path is a directory: ${file}`), { code: 'ERR_FS_EISDIR' });
    }
    for (const name of await fs.promises.readdir(file)) {
      await rm(path.join(file, name), options);
    }
    await fs.promises.rmdir(file);
  } catch (error) {
    if (options.force !== true || (error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw error;
    }
  }
}

/** Rejects when the signal aborts, like Node's. */
function sleep<T>(
  ms: number,
  value?: T,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(
        Object.assign(named('AbortError', 'The operation was aborted'), { cause: signal?.reason }),
      );
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve(value);
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) {
      stop();
    }
  });
}

const load = createRequire(process.execPath);

/** A module of Node's, or what there is instead of it. */
function moduleOr(name: string, instead: () => object): object {
  try {
    return load(name) as object;
  } catch {
    return instead();
  }
}

supply(fs.promises, { rm, constants: fs.constants });
export const fsPromises: object = fs.promises;
export const pathPosix: object = path.posix;
export const timersPromises: object = moduleOr('timers/promises', () => ({ setTimeout: sleep }));
export const streamPromises: object = moduleOr('stream/promises', () => ({
  pipeline: util.promisify(stream.pipeline),
  finished: util.promisify(stream.finished),
}));

/** In the place of a library that needs Unicode's tables: columns of ordinary text. */
export const stringWidth = (text: string): number =>
  [...util.stripVTControlCharacters(text)].length;
