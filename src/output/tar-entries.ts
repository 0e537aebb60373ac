/** What a tar archive says of each path, with extended attributes and digests of content. */
import { createHash } from 'node:crypto';
import type { TreeEntry, TreeEntryType } from './compare-trees.ts';
import { BLOCK_BYTES, isZeroBlock, paddedBytes, readBlock, readRecords } from './tar-records.ts';

const TYPES: Readonly<Record<string, TreeEntryType>> = {
  '2': 'link',
  '3': 'character device',
  '4': 'block device',
  '5': 'directory',
  '6': 'pipe',
};

/** What stands before an entry and is said of it: pax records, and GNU's long names as such. */
type Records = ReadonlyMap<string, string>;

/**
 * The entries by path, which begins with a slash. Reads what GNU tar writes: ustar headers, pax
 * records, long names of GNU's own. @throws Error where the archive is broken.
 */
export async function readTarEntries(
  archive: AsyncIterable<Buffer>,
): Promise<ReadonlyMap<string, TreeEntry>> {
  const pieces = new Pieces(archive);
  const entries = new Map<string, TreeEntry>();
  const twins = new Map<string, string>();
  const records = new Map<string, string>();
  for (;;) {
    const block = await pieces.take(BLOCK_BYTES);
    if (isZeroBlock(block)) {
      await pieces.drain();
      return withHardLinks(entries, twins);
    }
    assertChecksum(block);
    const { type, sizeBytes } = readBlock(block);
    if (['x', 'g', 'L', 'K'].includes(type)) {
      const content = await pieces.take(paddedBytes(sizeBytes));
      extend(records, type, content.subarray(0, sizeBytes));
      continue;
    }
    const size = Number(records.get('size') ?? sizeBytes);
    const name = pathOf(block, records);
    if (type === '1') {
      twins.set(name, absolute(shown(records.get('linkpath') ?? readBlock(block).linkName)));
    } else {
      const entry = entryOf(block, records);
      const content = entry.type === 'file' ? { size, sha256: await digest(pieces, size) } : {};
      entries.set(name, { ...entry, ...content });
    }
    records.clear();
  }
}

async function digest(pieces: Pieces, size: number): Promise<string> {
  const hash = createHash('sha256');
  await pieces.each(size, (part) => hash.update(part));
  await pieces.each(paddedBytes(size) - size, () => {});
  return hash.digest('hex');
}

function extend(records: Map<string, string>, type: string, content: Buffer): void {
  if (type === 'x') {
    for (const { key, value } of readRecords(content)) {
      records.set(key, value);
    }
  } else if (type !== 'g') {
    const name = content.toString('latin1').replace(/\0.*$/s, '');
    records.set(type === 'L' ? 'path' : 'linkpath', name);
  }
}

const XATTR = 'SCHILY.xattr.';

function entryOf(block: Buffer, records: Records): Omit<TreeEntry, 'size' | 'sha256'> {
  const { type: letter, linkName, device } = readBlock(block);
  const type = TYPES[letter] ?? 'file';
  const xattrs = [...records].flatMap(([key, value]) =>
    key.startsWith(XATTR) ? [[key.slice(XATTR.length), shown(value)] as const] : [],
  );
  const number = (key: string, at: number, length: number): number =>
    Number(records.get(key) ?? octalAt(block, at, length));
  return {
    type,
    mode: octalAt(block, 100, 8) & 0o7777,
    owner: `${number('uid', 108, 8)}:${number('gid', 116, 8)}`,
    mtime: number('mtime', 136, 12),
    xattrs: Object.fromEntries(xattrs),
    ...(type === 'link' ? { link: shown(records.get('linkpath') ?? linkName) } : {}),
    ...(type.endsWith('device') ? { device: `${device.major}:${device.minor}` } : {}),
  };
}

function pathOf(block: Buffer, records: Records): string {
  return absolute(shown(records.get('path') ?? readBlock(block).name));
}

/**
 * All names of a file are alike, and each says the first of them: which one an archive has with the
 * content, and which with a reference, is a matter of the order in which it was written.
 */
function withHardLinks(
  entries: Map<string, TreeEntry>,
  twins: ReadonlyMap<string, string>,
): ReadonlyMap<string, TreeEntry> {
  const groups = new Map<string, string[]>();
  for (const [name, target] of twins) {
    groups.set(target, [...(groups.get(target) ?? []), name]);
  }
  for (const [target, names] of groups) {
    const entry = entries.get(target);
    if (entry === undefined) {
      throw new Error(
        `'${names[0]}' is another name of '${target}', which does not come before it`,
      );
    }
    const all = [target, ...names].sort();
    for (const name of all) {
      entries.set(name, { ...entry, link: all[0] ?? target });
    }
  }
  return entries;
}

/** `/etc/motd` for `./etc/motd` and `etc/motd`; `/` for the top. */
function absolute(given: string): string {
  return `/${given.replace(/^(?:\.?\/)+|^\.$/, '').replace(/\/+$/, '')}`;
}

/** Bytes as text where they are that, else in hexadecimal. */
function shown(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  const text = bytes.toString('utf8');
  return /[\p{Cc}\ufffd]/u.test(text) ? `0x${bytes.toString('hex')}` : text;
}

function octalAt(block: Buffer, at: number, length: number): number {
  return Number.parseInt(
    block.toString('latin1', at, at + length).replace(/[\0 ].*$/s, '') || '0',
    8,
  );
}

function assertChecksum(block: Buffer): void {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (sum !== octalAt(block, 148, 8)) {
    throw new Error('it is no tar archive, or a broken one');
  }
}

/** Takes a stream of chunks apart into pieces of the lengths that a format has. */
class Pieces {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next `length` bytes as one piece. @throws Error when there are fewer. */
  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    await this.each(length, (part) => parts.push(part));
    return Buffer.concat(parts);
  }

  /** The next `length` bytes as they come. @throws Error when there are fewer. */
  async each(length: number, onPart: (part: Buffer) => void): Promise<void> {
    for (let left = length; left > 0; ) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) {
          throw new Error('the archive ends too early');
        }
        this.#rest = next.value;
      }
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      onPart(part);
    }
  }

  /** Reads on to the end and forgets it, so that whoever writes is not cut off. */
  async drain(): Promise<void> {
    for (let next = await this.#chunks.next(); next.done !== true; ) {
      next = await this.#chunks.next();
    }
  }
}
