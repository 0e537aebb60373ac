/** Changes a few bytes of an image: identifiers that a tool has drawn become those of the build. */
import { open } from 'node:fs/promises';
import type { Source } from './writer.ts';

export interface PatchedImage {
  readonly sizeBytes: number;
  readonly read: (at: number, length: number) => Promise<Buffer>;
  readonly write: (at: number, bytes: Buffer) => Promise<void>;
}

/** @throws Error when the file is not what the format's description says. */
export type Patch = (
  image: PatchedImage,
  identity: Pick<Source, 'identifiers' | 'sourceDate'>,
) => Promise<void>;

export async function patchImage(
  file: string,
  patch: Patch,
  identity: Pick<Source, 'identifiers' | 'sourceDate'>,
): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const { size: sizeBytes } = await handle.stat();
    await patch(
      {
        sizeBytes,
        read: async (at, length) => {
          const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
          return buffer.subarray(0, bytesRead);
        },
        write: async (at, bytes) => {
          await handle.write(bytes, 0, bytes.length, at);
        },
      },
      identity,
    );
  } finally {
    await handle.close();
  }
}
