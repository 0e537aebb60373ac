/** A file system whose bytes do not lie in one run: a logical volume on several physical ones. */
import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { runTool } from '../sandbox/process.ts';
import type { FileSystemLayout } from './layout.ts';

export interface PiecesWork {
  /** By the names of the images. */
  readonly files: ReadonlyMap<string, string>;
  readonly workDir: string;
  /** Makes the file system from the start of a file on. */
  readonly write: (whole: FileSystemLayout, file: string) => Promise<void>;
}

/**
 * Makes the file system in a file of its own, as `write` does it, and copies what is in it to where
 * its pieces lie in the images.
 */
export async function inPieces(
  fs: FileSystemLayout,
  { files, workDir, write }: PiecesWork,
  context: Context,
): Promise<void> {
  const { pieces = [], ...whole } = fs;
  // Not by its name, which may be any text.
  const file = path.join(workDir, `volume-${fs.uuid}`);
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.truncate(fs.sizeBytes);
    } finally {
      await handle.close();
    }
    await write({ ...whole, offsetBytes: 0 }, file);
    let skipBytes = 0;
    for (const { image, offsetBytes, sizeBytes } of pieces) {
      const places = [`skip=${skipBytes}`, `count=${sizeBytes}`, `seek=${offsetBytes}`];
      const flags = ['iflag=skip_bytes,count_bytes', 'oflag=seek_bytes', 'conv=notrunc,sparse'];
      const both = [`if=${file}`, `of=${files.get(image) ?? ''}`];
      const argv = ['dd', ...both, 'bs=1M', ...places, ...flags, 'status=none'] as const;
      await runTool([...argv], context, { announce: false });
      skipBytes += sizeBytes;
    }
  } finally {
    await rm(file, { force: true });
  }
}
