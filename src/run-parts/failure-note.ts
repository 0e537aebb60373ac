/** Takes the note that a command in a hook has left; see `events/failure-note.ts`. */
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { HookFailureCause } from '../events/failure.ts';
import { parseFailureNote } from '../events/failure-note.ts';

const MOST_BYTES = 16_384;

/** What the note says about a hook that ended with `status`. The note is gone afterwards. */
export async function takeFailureNote(
  file: string,
  status: number,
): Promise<HookFailureCause | undefined> {
  const text = await readNote(file);
  if (text === undefined) {
    return undefined;
  }
  await rm(file, { force: true });
  return parseFailureNote(text, status);
}

/** The target may have put anything there: a link is not followed, a pipe not waited for. */
async function readNote(file: string): Promise<string | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const opened = await open(file, flags).catch(() => undefined);
  if (opened === undefined) {
    return undefined;
  }
  await using note = opened;
  const isFile = (await note.stat()).isFile();
  const { buffer, bytesRead } = isFile
    ? await note.read(Buffer.alloc(MOST_BYTES), 0, MOST_BYTES, 0)
    : { buffer: Buffer.alloc(0), bytesRead: 0 };
  return buffer.subarray(0, bytesRead).toString();
}
