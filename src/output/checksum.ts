/** Digests of an image in one read of it, as `md5sum` and `sha256sum` write them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';

export type ChecksumName = 'md5' | 'sha256';

/** `<digest>  <name>`, with the name as it will be known. Source: sha256sum(1). */
export function checksumLine(digest: string, name: string): string {
  return `${digest}  ${name}\n`;
}

/** Writes `<file>.md5` and `<file>.sha256` as asked; `name` is what they say the file is called. */
export async function writeChecksums(
  file: string,
  name: string,
  wanted: readonly ChecksumName[],
): Promise<readonly string[]> {
  if (wanted.length === 0) {
    return [];
  }
  const hashes = wanted.map((algorithm) => ({ algorithm, hash: createHash(algorithm) }));
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    for (const { hash } of hashes) {
      hash.update(chunk as Buffer);
    }
  }
  const written: string[] = [];
  for (const { algorithm, hash } of hashes) {
    await writeFile(`${file}.${algorithm}`, checksumLine(hash.digest('hex'), name));
    written.push(`${file}.${algorithm}`);
  }
  return written;
}
