/**
 * The extended attributes in an ext inode, in one order: mke2fs writes them as the host's file system
 * lists them, and a tmpfs does that in another order than an ext4. Pure.
 *
 * Layout as libext2fs writes it: entries from the front, values from the back. Attributes that do not fit
 * into the inode are in a block of their own, which stays as it is.
 * Source: Linux, Documentation/filesystems/ext4/attributes.rst.
 */
const MAGIC = 0xea020000;
const ENTRY_BYTES = 16;

interface Attribute {
  /** The entry, its name included. */
  readonly entry: Buffer;
  readonly value: Buffer;
  /** Name space and name, to sort by. */
  readonly key: string;
}

/** Sorts them where there are several; `extraBytes` is how much follows the first 128 bytes. */
export function sortAttributes(inode: Buffer, extraBytes: number): void {
  const at = 128 + extraBytes;
  if (at + 4 + ENTRY_BYTES > inode.length || inode.readUInt32LE(at) !== MAGIC) {
    return;
  }
  const area = inode.subarray(at + 4);
  const attributes = readAttributes(area);
  if (attributes !== undefined && attributes.length > 1) {
    attributes.sort((a, b) => (a.key < b.key ? -1 : 1));
    writeAttributes(area, attributes);
  }
}

/** Undefined where a value has an inode of its own. */
function readAttributes(area: Buffer): Attribute[] | undefined {
  const attributes: Attribute[] = [];
  let at = 0;
  while (at + ENTRY_BYTES <= area.length && area.readUInt32LE(at) !== 0) {
    const nameBytes = area.readUInt8(at);
    if (area.readUInt32LE(at + 4) !== 0) {
      return undefined;
    }
    const [from, length] = [area.readUInt16LE(at + 2), area.readUInt32LE(at + 8)];
    const end = at + padded(ENTRY_BYTES + nameBytes);
    attributes.push({
      entry: Buffer.from(area.subarray(at, end)),
      value: Buffer.from(area.subarray(from, from + length)),
      key: `${area.readUInt8(at + 1)} ${area.toString('latin1', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes)}`,
    });
    at = end;
  }
  return attributes;
}

function writeAttributes(area: Buffer, attributes: readonly Attribute[]): void {
  area.fill(0);
  let front = 0;
  let back = area.length;
  for (const { entry, value } of attributes) {
    back -= padded(value.length);
    entry.writeUInt16LE(back, 2);
    entry.copy(area, front);
    value.copy(area, back);
    front += entry.length;
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
