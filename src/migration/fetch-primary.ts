/** One attempt to read a repository: `repomd.xml`, and the list in the primary metadata that it vouches for. */
import { createHash } from 'node:crypto';
import { type Decompressor, MAGIC_BYTES, openDecompressor } from './decompress.ts';
import { type HttpAnswer, HttpError, httpGet } from './http.ts';
import { type PrimaryList, PrimaryReader } from './primary.ts';
import { type PrimaryFile, parseRepomd, repositoryRoot } from './repomd.ts';

export interface FetchNeeds {
  readonly idleMs: number;
  readonly signal: AbortSignal;
  /** Of the decompressors; also says which proxies there are. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Why a repository could not be read. `isFinal`: trying again will not help. */
export class RepositoryError extends Error {
  readonly isFinal: boolean;

  constructor(
    message: string,
    detail: { readonly isFinal?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: detail.cause });
    this.name = 'RepositoryError';
    this.isFinal = detail.isFinal === true;
  }
}

const LONGEST_REPOMD = 4 << 20;
/** An honest file is a few hundred megabytes. */
const LONGEST_PRIMARY = 4 * 2 ** 30;

/** @throws RepositoryError */
export async function fetchRepomd(url: string, needs: FetchNeeds): Promise<PrimaryFile> {
  const answer = await get(url, 'repomd.xml', needs);
  const parts: Buffer[] = [];
  let bytes = 0;
  await eachChunk(answer, 'repomd.xml', async (chunk) => {
    bytes += chunk.length;
    if (bytes > LONGEST_REPOMD) {
      throw new RepositoryError(`repomd.xml is longer than ${LONGEST_REPOMD} bytes`);
    }
    parts.push(chunk);
  });
  try {
    return parseRepomd(Buffer.concat(parts), url);
  } catch (error) {
    throw new RepositoryError(`repomd.xml cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/**
 * The list in the primary metadata, read and checked in one go.
 *
 * @throws RepositoryError; Failed `host` when the tool that decompresses it is missing.
 */
export async function fetchPrimary(
  repomdUrl: string,
  primary: PrimaryFile,
  needs: FetchNeeds,
): Promise<PrimaryList> {
  const answer = await get(primary.url, 'the primary metadata', needs);
  const unpacking = new Unpacking(repositoryRoot(repomdUrl), primary, needs.environment);
  try {
    await eachChunk(answer, 'the primary metadata', (chunk) => unpacking.take(chunk));
    return await unpacking.finish();
  } finally {
    unpacking.destroy();
  }
}

/** Hashes, counts, decompresses and parses; what is wrong with the bytes is said before what is in them. */
class Unpacking {
  readonly #primary: PrimaryFile;
  readonly #reader: PrimaryReader;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #hash: ReturnType<typeof createHash>;
  #decompressor: Decompressor | undefined;
  #first: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #openBytes = 0;
  #fault: Error | undefined;

  constructor(root: string, primary: PrimaryFile, environment: Readonly<Record<string, string>>) {
    this.#primary = primary;
    this.#reader = new PrimaryReader(root);
    this.#environment = environment;
    this.#hash = createHash(primary.algorithm);
  }

  async take(chunk: Buffer): Promise<void> {
    this.#bytes += chunk.length;
    const { size = LONGEST_PRIMARY } = this.#primary;
    if (this.#bytes > size) {
      throw new RepositoryError(
        `The primary metadata is longer than the ${size} bytes it should be`,
      );
    }
    this.#hash.update(chunk);
    if (this.#decompressor !== undefined) {
      await this.#attempt(this.#decompressor.write(chunk));
      return;
    }
    this.#first = Buffer.concat([this.#first, chunk]);
    if (this.#first.length >= MAGIC_BYTES) {
      await this.#attempt(this.#open().write(this.#first));
    }
  }

  async finish(): Promise<PrimaryList> {
    const { size, algorithm, digest } = this.#primary;
    if (size !== undefined && this.#bytes < size) {
      throw new RepositoryError(`The primary metadata ends after ${this.#bytes} of ${size} bytes`);
    }
    const found = this.#hash.digest('hex');
    if (found !== digest) {
      throw new RepositoryError(
        `The ${algorithm} of the primary metadata is ${found}, and should be ${digest}`,
      );
    }
    if (this.#decompressor === undefined) {
      await this.#attempt(this.#open().write(this.#first));
    }
    if (this.#decompressor !== undefined) {
      await this.#attempt(this.#decompressor.end());
    }
    try {
      this.#check();
      return this.#reader.end();
    } catch (error) {
      if (error instanceof Error && 'failure' in error) {
        throw error;
      }
      throw new RepositoryError(
        `The primary metadata cannot be used: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }

  destroy(): void {
    this.#decompressor?.destroy();
  }

  #open(): Decompressor {
    const { openSize = LONGEST_PRIMARY } = this.#primary;
    this.#decompressor = openDecompressor(
      this.#first,
      (data) => {
        this.#openBytes += data.length;
        if (this.#openBytes > openSize) {
          throw new Error(`Unpacked it is longer than the ${openSize} bytes it should be`);
        }
        this.#reader.write(data);
      },
      this.#environment,
    );
    return this.#decompressor;
  }

  /** Once something is wrong inside, the rest is only hashed: if the digest differs, that is the news. */
  async #attempt(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#fault ??= error as Error;
    }
  }

  #check(): void {
    if (this.#fault !== undefined) {
      throw this.#fault;
    }
  }
}

async function get(url: string, what: string, needs: FetchNeeds): Promise<HttpAnswer> {
  let answer: HttpAnswer;
  try {
    answer = await httpGet({ url, ...needs });
  } catch (error) {
    throw broken(what, error);
  }
  if (answer.status !== 200) {
    answer.body.destroy();
    const isGone = [401, 403, 404, 410].includes(answer.status) && what === 'repomd.xml';
    throw new RepositoryError(`The server answers ${answer.status} for ${what}`, {
      isFinal: isGone,
    });
  }
  return answer;
}

async function eachChunk(
  { body }: HttpAnswer,
  what: string,
  take: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  try {
    for await (const chunk of body) {
      await take(chunk as Buffer);
    }
  } catch (error) {
    throw error instanceof RepositoryError ? error : broken(what, error);
  } finally {
    body.destroy();
  }
}

function broken(what: string, error: unknown): RepositoryError {
  const { message } = error as Error;
  return error instanceof HttpError
    ? new RepositoryError(message, { cause: error })
    : new RepositoryError(`The connection broke while ${what} was read: ${message}`, {
        cause: error,
      });
}
