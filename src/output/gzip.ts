/** Sets the time in the header of a gzip to "none": pigz writes that of the day. Source: RFC 1952, 2.3. */
export function eraseGzipTime(head: Buffer): void {
  if (head.length >= 8 && head.readUInt16BE(0) === 0x1f8b) {
    head.writeUInt32LE(0, 4);
  }
}
