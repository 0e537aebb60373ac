/** Where a text stopped being XML that we read. */
export class XmlError extends Error {
  /** Bytes from the start. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message}, at byte ${offset}`);
    this.name = 'XmlError';
    this.offset = offset;
  }
}
