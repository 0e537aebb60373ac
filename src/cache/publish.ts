/**
 * The only place that moves a finished file under the name that others know: whoever sees that name
 * sees a whole file, after a power cut too.
 */
import { open, rename } from 'node:fs/promises';
import path from 'node:path';

/** Flushes `temporary`, renames it to `final` on the same file system, and flushes the directory. */
export async function publish(temporary: string, final: string): Promise<void> {
  await flush(temporary);
  await rename(temporary, final);
  await flush(path.dirname(final));
}

async function flush(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
