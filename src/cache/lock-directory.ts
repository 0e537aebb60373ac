/**
 * One attempt at a lock, as the file operations that proper-lockfile is given.
 *
 *     X.dib-lock/                    the lock; without a holder in it, it is free
 *       holder.<identity>.<number>   who has it; its time stamp is the heartbeat
 *     X.dib-lock.<identity>.<number>/  the same, prepared by a contender
 *
 * Taking a free lock is a rename of the prepared directory onto the lock's name, which fails while a
 * holder is in there; taking over a dead holder's lock is a rename of that holder to ourselves.
 * Both are atomic and the second names whom it replaces, so there is never a moment with two holders
 * or with one whose name is unknown. (proper-lockfile's own take-over removes and makes the lock
 * anew: two contenders can both believe to have got it.)
 */
import { rmdirSync, unlinkSync } from 'node:fs';
import {
  mkdir,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { livenessOf, ownIdentity, parseIdentity, renderIdentity } from './identity.ts';

/** How long a heartbeat must have stood still, as we see it, before an unseen holder counts as dead. */
const SILENCE_MS = 6000;
const HOLDER = 'holder.';

let attempts = 0;

/** What a `lock` of proper-lockfile calls, with its names; everything is about the one lock. */
export interface LockFileSystem {
  mkdir(file: string, done: Done): void;
  stat(file: string, done: (error: unknown, stat?: { readonly mtime: Date }) => void): void;
  utimes(...args: readonly [file: string, atime: Date, mtime: Date, done: Done]): void;
  rmdir(file: string, done: Done): void;
  rmdirSync(file: string): void;
}

type Done = (error?: unknown) => void;

export class LockDirectory implements AsyncDisposable {
  readonly directory: string;
  readonly #name: string;
  readonly #prepared: string;
  readonly #info: string;
  #isPrepared = false;
  #holding = false;
  /** The heartbeat last seen, and when we first saw it, on a clock that nobody sets. */
  #seen = { holder: '', heartbeatMs: 0, since: 0 };

  private constructor(directory: string, name: string, info: string) {
    this.directory = directory;
    this.#name = name;
    this.#prepared = `${directory}.${name}`;
    this.#info = info;
  }

  /** `info` is what others may read about us while we hold the lock. */
  static async open(directory: string, info: string): Promise<LockDirectory> {
    attempts += 1;
    return new LockDirectory(directory, `${renderIdentity(await ownIdentity())}.${attempts}`, info);
  }

  /** The operations for proper-lockfile's option `fs`. */
  fileSystem(): LockFileSystem {
    return {
      mkdir: (_file, done) => settle(this.#take(), done),
      // Before we hold it, whether the lock is stale is our judgement, made in mkdir: never theirs.
      stat: (_file, done) => {
        if (!this.#holding) {
          done(null, { mtime: new Date() });
          return;
        }
        stat(this.#holderFile(this.#name)).then((found) => done(null, found), done);
      },
      utimes: (...[, atime, mtime, done]) =>
        settle(utimes(this.#holderFile(this.#name), atime, mtime), done),
      rmdir: (_file, done) => settle(this.#release(), done),
      rmdirSync: () => {
        unlinkSync(this.#holderFile(this.#name));
        rmdirSync(this.directory);
      },
    };
  }

  /** The file of whoever has the lock now. */
  async holder(): Promise<string | undefined> {
    const [first] = await this.#holders();
    return first === undefined ? undefined : this.#holderFile(first);
  }

  /** Whether there is a point in trying: nobody has the lock, or one who is dead. */
  async isFree(): Promise<boolean> {
    const [holder] = await this.#holders();
    return holder === undefined || (await this.#isDead(holder));
  }

  async #take(): Promise<void> {
    const [holder] = await this.#holders();
    const taken =
      holder === undefined
        ? await this.#takeFree()
        : (await this.#isDead(holder)) && (await this.#replace(holder));
    if (!taken) {
      throw Object.assign(new Error('The lock is held'), { code: 'EEXIST' });
    }
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#prepared);
    this.#isPrepared = true;
    await writeFile(path.join(this.#prepared, `${HOLDER}${this.#name}`), this.#info);
  }

  async #takeFree(): Promise<boolean> {
    await this.#prepare();
    try {
      await rename(this.#prepared, this.directory);
      this.#isPrepared = false;
      this.#holding = true;
      return true;
    } catch (error) {
      if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') {
        // Not kept for the next attempt: whoever is killed while waiting shall leave nothing.
        await this[Symbol.asyncDispose]();
        return false;
      }
      throw error;
    }
  }

  async #holders(): Promise<readonly string[]> {
    try {
      const names = await readdir(this.directory);
      return names
        .filter((name) => name.startsWith(HOLDER))
        .map((name) => name.slice(HOLDER.length));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        return [];
      }
      throw error;
    }
  }

  async #isDead(holder: string): Promise<boolean> {
    const identity = parseIdentity(holder);
    const liveness = identity === undefined ? 'unknown' : await livenessOf(identity);
    return liveness === 'unknown' ? this.#isSilent(holder) : liveness === 'gone';
  }

  /**
   * Whether the heartbeat has stood still while we watched. Comparing it with the time of day would
   * fail where the clocks of two machines differ, or ours is set back.
   */
  async #isSilent(holder: string): Promise<boolean> {
    const heartbeatMs = await stat(this.#holderFile(holder)).then(
      (found) => found.mtimeMs,
      () => 0,
    );
    const now = performance.now();
    if (this.#seen.holder !== holder || this.#seen.heartbeatMs !== heartbeatMs) {
      this.#seen = { holder, heartbeatMs, since: now };
    }
    return now - this.#seen.since > SILENCE_MS;
  }

  async #replace(holder: string): Promise<boolean> {
    const ours = this.#holderFile(this.#name);
    try {
      await rename(this.#holderFile(holder), ours);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        return false;
      }
      throw error;
    }
    this.#holding = true;
    // From here on it is ours, and says so once this is written; a full disk does not change that.
    await writeFile(ours, this.#info).catch(() => {});
    return true;
  }

  async #release(): Promise<void> {
    this.#holding = false;
    await unlink(this.#holderFile(this.#name)).catch(ignoring('ENOENT'));
    // Somebody may have moved in already.
    await rmdir(this.directory).catch(ignoring('ENOENT', 'ENOTEMPTY', 'EEXIST'));
  }

  #holderFile(name: string): string {
    return path.join(this.directory, `${HOLDER}${name}`);
  }

  /** Removes what was prepared. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isPrepared) {
      this.#isPrepared = false;
      await rm(this.#prepared, { recursive: true, force: true });
    }
  }

  /** Removes what contenders that were killed have left. For the holder of the lock. */
  async sweep(): Promise<void> {
    const parent = path.dirname(this.directory);
    const prefix = `${path.basename(this.directory)}.`;
    for (const name of await readdir(parent)) {
      const file = path.join(parent, name);
      if (name.startsWith(prefix) && (await isLeft(file, name.slice(prefix.length)))) {
        await rm(file, { recursive: true, force: true });
      }
    }
  }
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** A contender that we cannot see has had a day to use what it prepared. */
async function isLeft(file: string, name: string): Promise<boolean> {
  const identity = parseIdentity(name);
  const liveness = identity === undefined ? 'alive' : await livenessOf(identity);
  if (liveness !== 'unknown') {
    return liveness === 'gone';
  }
  return Math.abs(Date.now() - (await stat(file)).mtimeMs) > DAY_MS;
}

function settle(work: Promise<void>, done: Done): void {
  work.then(() => done(null), done);
}

function ignoring(...codes: readonly string[]): (error: unknown) => void {
  return (error) => {
    if (!codes.includes(codeOf(error))) {
      throw error;
    }
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
