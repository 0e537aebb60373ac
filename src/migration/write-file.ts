/** Files of the state volume that are seen whole or not at all. */
import { promises as fs } from 'node:fs';
import { publish } from '../cache/publish.ts';

/**
 * Replaces `file`. Only for the holder of the run lock: what a killed one has left unfinished has the
 * same name and is written over.
 */
export async function writeWhole(file: string, content: string | Buffer): Promise<void> {
  const unfinished = `${file}.new`;
  try {
    await fs.writeFile(unfinished, content);
    await publish(unfinished, file);
  } catch (error) {
    // Above all a full disk: the room is wanted back.
    await fs.unlink(unfinished).catch(() => {});
    throw error;
  }
}

/** The text of a file, or undefined when there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
