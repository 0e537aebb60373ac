/**
 * The tar archive around an image: members are written once, in one pass, though a header comes before
 * its content and a blob's name is the digest of what is in it. The header's place is left free and
 * filled in when the blob has ended.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { Header } from 'tar';
import { type Blob, blobName } from './oci-documents.ts';
import { BLOCK_BYTES, paddedBytes } from './tar-records.ts';

export class ImageArchive implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #mtime: Date;
  readonly #blobs = new Map<string, Blob>();
  #at = 0;

  private constructor(file: FileHandle, mtime: Date) {
    this.#file = file;
    this.#mtime = mtime;
  }

  /** Creates the archive; `mtime` is that of all members. */
  static async create(path: string, mtime: Date): Promise<ImageArchive> {
    return new ImageArchive(await open(path, 'wx'), mtime);
  }

  /** Adds a member with a name of its own. */
  async add(name: string, content: string): Promise<void> {
    const bytes = Buffer.from(content);
    await this.#put(this.#header(name, bytes.length), this.#at);
    await this.#put(bytes, this.#at + BLOCK_BYTES);
    this.#at += BLOCK_BYTES + paddedBytes(bytes.length);
  }

  /** Adds what comes as a blob. Content that is there already takes no room again. */
  async addBlob(content: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<Blob> {
    const hash = createHash('sha256');
    const start = this.#at + BLOCK_BYTES;
    let sizeBytes = 0;
    for await (const chunk of content) {
      hash.update(chunk);
      await this.#put(chunk, start + sizeBytes);
      sizeBytes += chunk.length;
    }
    const digest = `sha256:${hash.digest('hex')}`;
    const known = this.#blobs.get(digest);
    if (known !== undefined) {
      await this.#file.truncate(this.#at);
      return known;
    }
    const blob = { digest, sizeBytes };
    this.#blobs.set(digest, blob);
    await this.#put(this.#header(blobName(digest), sizeBytes), this.#at);
    this.#at = start + paddedBytes(sizeBytes);
    return blob;
  }

  /** Ends the archive: two blocks of zeros. Source: tar(5). */
  async finish(): Promise<void> {
    await this.#file.truncate(this.#at + 2 * BLOCK_BYTES);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  #header(path: string, size: number): Buffer {
    const block = Buffer.alloc(BLOCK_BYTES);
    const owner = { uid: 0, gid: 0, uname: '', gname: '' };
    const needsMore = new Header({
      ...owner,
      path,
      size,
      mode: 0o644,
      mtime: this.#mtime,
      type: 'File',
    }).encode(block, 0);
    // Above 8 GiB the size is written as a binary number, which every reader of images knows.
    if (needsMore && size < 8 ** 11) {
      throw new Error(`Cannot write '${path}' into a header of tar`);
    }
    return block;
  }

  async #put(bytes: Buffer, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#file.write(
        bytes,
        done,
        bytes.length - done,
        position + done,
      );
      done += bytesWritten;
    }
  }
}
