/**
 * Small files, of which most are not there. Read one after the other: to hand hundreds of tiny reads to
 * Node's threads takes ten times the processor time of the reads (measured).
 */
import { readFileSync, statSync } from 'node:fs';

/** The text of a file, empty where there is none or it is not for us: what has no text says nothing. */
export function textOrEmpty(file: string, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  try {
    return readTextIfThere(file, encoding) ?? '';
  } catch {
    return '';
  }
}

/** The text of a file, undefined where there is none. @throws what `readFileSync` throws for others. */
export function readTextIfThere(
  file: string,
  encoding: 'utf8' | 'latin1' = 'utf8',
): string | undefined {
  // To make an error takes longer than to ask.
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? undefined : readFileSync(file, encoding);
}
