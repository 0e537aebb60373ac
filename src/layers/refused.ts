/** A layer store that belongs to somebody else, or cannot be written: told as what it is. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { hostError } from '../events/failure.ts';

const REFUSALS = new Set(['EACCES', 'EPERM', 'EROFS']);

/** What to throw for an error at work in the store: a refusal of the file system is said to be one. */
export async function refusalOf(directory: string, error: unknown): Promise<unknown> {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (!REFUSALS.has(code)) {
    return error;
  }
  const owner = await ownerOf(directory);
  const whose =
    owner === undefined || owner === process.geteuid?.()
      ? ''
      : `it belongs to the user with the number ${owner}; `;
  return hostError(
    `Cannot use the layer store '${directory}': ${whose}${message}`,
    'Choose another place with --image-cache or DIB_IMAGE_CACHE, or become the user whose it is',
  );
}

/** Of the directory, or of the one that it would be in; undefined where neither is to be seen. */
async function ownerOf(directory: string): Promise<number | undefined> {
  const found = await stat(directory)
    .catch(() => stat(path.dirname(directory)))
    .catch(() => undefined);
  return found?.uid;
}
