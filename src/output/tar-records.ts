/**
 * The bytes of tar archives: header blocks and records of extended headers. Pure.
 *
 * Names are taken byte by byte (latin1), because a file name need not be UTF-8. Source: pax(1), "ustar
 * Interchange Format" and "pax Header Block"; tar(5).
 */

export const BLOCK_BYTES = 512;

/** An extended header's record; `value` is bytes as latin1. */
export interface PaxRecord {
  readonly key: string;
  readonly value: string;
}

/** What of a header block matters to us. */
export interface BlockFields {
  readonly name: string;
  readonly linkName: string;
  /** One character; a NUL is `0`. */
  readonly type: string;
  readonly sizeBytes: number;
  readonly device: { readonly major: number; readonly minor: number };
}

/** A text of ours as names in archives are: bytes as latin1. */
export function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** Content rounded up to whole blocks. */
export function paddedBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Whether a block is all zeros, as at the end of an archive. */
export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && block.every((byte) => byte === 0);
}

export function readBlock(block: Buffer): BlockFields {
  const prefix = text(block, 345, 155);
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    type: block[156] === 0 ? '0' : text(block, 156, 1),
    sizeBytes: number(block, 124, 12),
    device: { major: number(block, 329, 8), minor: number(block, 337, 8) },
  };
}

function text(block: Buffer, offset: number, length: number): string {
  const field = block.toString('latin1', offset, offset + length);
  const end = field.indexOf('\0');
  return end === -1 ? field : field.slice(0, end);
}

/** Octal digits, or with the first bit set a big-endian number (GNU). */
function number(block: Buffer, offset: number, length: number): number {
  if (((block[offset] ?? 0) & 0x80) !== 0) {
    return block.readUIntBE(offset + length - 6, 6);
  }
  return Number.parseInt(text(block, offset, length).trim() || '0', 8);
}

/** The records in the content of an extended header. */
export function readRecords(content: Buffer): readonly PaxRecord[] {
  const records: PaxRecord[] = [];
  let at = 0;
  while (at < content.length && content[at] !== 0) {
    const blank = content.indexOf(0x20, at);
    const length = Number(content.toString('latin1', at, blank));
    if (blank === -1 || !(length > 0)) {
      throw new Error('An extended header of tar has a record without a length');
    }
    const record = content.toString('latin1', blank + 1, at + length - 1);
    const equals = record.indexOf('=');
    records.push({ key: record.slice(0, equals), value: record.slice(equals + 1) });
    at += length;
  }
  return records;
}

/** The value of a record; the last one counts. */
export function recordOf(records: readonly PaxRecord[], key: string): string | undefined {
  return records.findLast((record) => record.key === key)?.value;
}

/** Extended attributes by name, behind everything else, whose order has a meaning. */
export function inOrder(records: readonly PaxRecord[]): readonly PaxRecord[] {
  const isAttribute = ({ key }: PaxRecord): boolean => key.startsWith('SCHILY.xattr.');
  return [
    ...records.filter((record) => !isAttribute(record)),
    ...records.filter(isAttribute).sort((a, b) => (a.key < b.key ? -1 : 1)),
  ];
}

/** Bytes behind a header. Links, devices and directories have none, whatever their size says. */
export function contentBytes(type: string, sizeBytes: number): number {
  return '123456'.includes(type) ? 0 : paddedBytes(sizeBytes);
}

/** An extended header for records, made after an existing one, content and padding included. */
export function renderRecords(records: readonly PaxRecord[], like: Buffer): Buffer {
  const content = Buffer.from(records.map(renderRecord).join(''), 'latin1');
  const block = Buffer.from(like);
  block.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  seal(block);
  return Buffer.concat([
    block,
    content,
    Buffer.alloc(paddedBytes(content.length) - content.length),
  ]);
}

/** The length counts its own digits. */
function renderRecord({ key, value }: PaxRecord): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return `${length}${rest}`;
}

/**
 * An empty regular file beside the entry whose header block is `like`: its owner and time, another
 * name. A name that is too long for a header block gets an extended header in front.
 */
export function renderEmptyFile(name: string, like: Buffer): Buffer {
  const block = Buffer.from(like);
  block.fill(0, 0, 100);
  block.write(name.slice(-100), 0, 'latin1');
  block.write('0000000\0', 100, 'latin1');
  block.write('00000000000\0', 124, 'latin1');
  block.write('0', 156, 'latin1');
  block.fill(0, 157, 257);
  block.write('0000000\0'.repeat(2), 329, 'latin1');
  block.fill(0, 345, 500);
  seal(block);
  if (name.length <= 100) {
    return block;
  }
  const extended = Buffer.from(block);
  extended.write('x', 156, 'latin1');
  return Buffer.concat([renderRecords([{ key: 'path', value: name }], extended), block]);
}

/** Writes the sum of a header block, counted with blanks in its own place. */
function seal(block: Buffer): void {
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}
