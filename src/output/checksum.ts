/** Digests of an image, as `md5sum` and `sha256sum` write them. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { ChecksumName } from '../plan/build-plan.ts';

/** `<digest>  <name>`, with the name as it will be known. Source: sha256sum(1). */
export function checksumLine(digest: string, name: string): string {
  return `${digest}  ${name}\n`;
}

/** Several digests of the same bytes, taken as these go by. */
export class Digests {
  readonly #hashes: readonly { readonly name: ChecksumName; readonly hash: Hash }[];

  constructor(names: readonly ChecksumName[]) {
    this.#hashes = names.map((name) => ({ name, hash: createHash(name) }));
  }

  update(bytes: Buffer): void {
    for (const { hash } of this.#hashes) {
      hash.update(bytes);
    }
  }

  /** Writes `<file>.md5` and `<file>.sha256` as asked; `name` is what they say the file is called. Once. */
  async write(file: string, name: string): Promise<readonly string[]> {
    const written: string[] = [];
    for (const one of this.#hashes) {
      await writeFile(`${file}.${one.name}`, checksumLine(one.hash.digest('hex'), name));
      written.push(`${file}.${one.name}`);
    }
    return written;
  }
}

/** The digests of a file that no stream of ours has written. */
export async function digestsOf(file: string, names: readonly ChecksumName[]): Promise<Digests> {
  const digests = new Digests(names);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    digests.update(chunk as Buffer);
  }
  return digests;
}
