/**
 * What `cache-url` does: a copy of a URL that is as new as the server's, with nothing to verify it by.
 *
 * Source of the cases: dib contract, 6.1 (compat).
 */
import { createReadStream, createWriteStream, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeNamedDirectories } from '../events/make-directories.ts';
import { type FetchContext, type FetchedFile, fetchFile } from './fetch-file.ts';
import { acquireLock } from './lock.ts';
import { PartialFile } from './partial-file.ts';

export interface UrlCopySpec {
  readonly url: string;
  /** A regular file that is replaced in one step, or a pipe that is written to. */
  readonly destination: string;
  /** Fetches whatever is there, past all caches. */
  readonly force: boolean;
  /** Where the bytes for a pipe gather. */
  readonly temporaryDirectory: string;
}

/** `empty`: nothing came where something was, so that was kept. */
export type UrlCopyOutcome = 'first' | 'changed' | 'forced' | 'unchanged' | 'empty';

const MAX_BYTES = 2 ** 50;

/**
 * Brings the copy up to date. One process at a time: the others find its copy and only ask whether
 * it is current.
 *
 * @throws Failed `fetch`, `lock-busy`, `config`; whatever it throws, nothing of ours is left.
 */
export async function copyUrl(spec: UrlCopySpec, context: FetchContext): Promise<UrlCopyOutcome> {
  if ((await find(spec.destination))?.isFIFO() === true) {
    return await copyIntoPipe(spec, context);
  }
  await makeNamedDirectories(path.dirname(spec.destination));
  const command = `cache-url ${spec.url}`;
  await using _lock = await acquireLock(spec.destination, { command }, context);
  const before = await find(spec.destination);
  const isKept = !spec.force && before?.isFile() === true && before.size > 0;
  const since = isKept ? { unless: { lastModified: before.mtime.toUTCString() } } : {};
  await using partial = await PartialFile.open(spec.destination);
  const remove = { [Symbol.asyncDispose]: () => partial.remove() };
  await using _removed = remove;
  const { url, force: bust } = spec;
  const fetched = await fetchFile({ url, partial, bust, maxBytes: MAX_BYTES, ...since }, context);
  const outcome = outcomeOf(spec, fetched, { isKept, sizeBytes: partial.position });
  if (outcome !== 'unchanged' && outcome !== 'empty') {
    await partial.publishAs(spec.destination);
  }
  return outcome;
}

function outcomeOf(
  spec: UrlCopySpec,
  fetched: FetchedFile,
  { isKept, sizeBytes }: { readonly isKept: boolean; readonly sizeBytes: number },
): UrlCopyOutcome {
  if (fetched.kind === 'not-modified') {
    // For a local file there is no answer 304: curl writes nothing.
    return spec.url.startsWith('file:') ? 'empty' : 'unchanged';
  }
  if (isKept && sizeBytes === 0) {
    return 'empty';
  }
  return spec.force ? 'forced' : isKept ? 'changed' : 'first';
}

async function copyIntoPipe(spec: UrlCopySpec, context: FetchContext): Promise<UrlCopyOutcome> {
  const { url, force: bust } = spec;
  const partial = await PartialFile.open(path.join(spec.temporaryDirectory, 'cache-url'));
  try {
    await fetchFile({ url, partial, bust, maxBytes: MAX_BYTES }, context);
    await pipeline(createReadStream(partial.path), createWriteStream(spec.destination), {
      signal: context.signal,
    });
    return bust ? 'forced' : 'first';
  } finally {
    await partial.remove();
  }
}

async function find(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
