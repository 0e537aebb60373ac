/**
 * Turns the archive of one layer of a build into the archive of one layer of an image. Pure.
 *
 * What the kernel's overlay writes to say "gone" becomes what images say it with:
 *
 *     overlay                                              image
 *     character device 0:0 called NAME                     empty file .wh.NAME
 *     directory with trusted.overlay.opaque=y              the directory, then .wh..wh..opq in it
 *     other attributes trusted.overlay.*, user.overlay.*   nothing
 *
 * Sources: Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"; OCI image-spec,
 * layer.md, "Whiteouts".
 */
import {
  BLOCK_BYTES,
  contentBytes,
  inOrder,
  isZeroBlock,
  type PaxRecord,
  paddedBytes,
  readBlock,
  readRecords,
  recordOf,
  renderEmptyFile,
  renderRecords,
} from './tar-records.ts';

const OVERLAY = /^SCHILY\.xattr\.(?:trusted|user)\.overlay\./;
const OPAQUE = /^SCHILY\.xattr\.(?:trusted|user)\.overlay\.opaque$/;
/** The file lacks its content, or the directory's is elsewhere: such a layer cannot stand alone. */
const INCOMPLETE = /^SCHILY\.xattr\.(?:trusted|user)\.overlay\.(?:metacopy|redirect)$/;

/** What comes next in the archive. */
type Expected =
  | { readonly kind: 'header' }
  | { readonly kind: 'records'; readonly header: Buffer; readonly sizeBytes: number }
  | { readonly kind: 'content'; readonly left: number };

/** A conversion in progress: push the archive's bytes through it, piece by piece, in order. */
export class WhiteoutConversion {
  #expected: Expected = { kind: 'header' };
  /** The start of a header that has not come whole yet. */
  #rest: Buffer = Buffer.alloc(0);
  /** The extended header of the next entry, as it came. */
  #extended: { readonly header: Buffer; readonly records: readonly PaxRecord[] } | undefined;
  /** Names of whiteouts: the kernel makes one device node and links it to all the others. */
  readonly #whiteouts = new Set<string>();
  readonly #hiding: ReadonlySet<string> | undefined;

  /** `hiding`: paths of directories that hide what lies below, where it is not the overlay's attribute that says so. */
  constructor(hiding?: ReadonlySet<string>) {
    this.#hiding = hiding;
  }

  /** What the bytes become; nothing while a header is incomplete. */
  push(bytes: Buffer): readonly Buffer[] {
    const out: Buffer[] = [];
    let input = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let taken = this.#take(input, out);
    while (taken > 0) {
      input = input.subarray(taken);
      taken = this.#take(input, out);
    }
    // A copy: what we were given belongs to a larger buffer that would stay alive with it.
    this.#rest = Buffer.from(input);
    return out;
  }

  /** Takes what comes next from the start of `input`: how many bytes that was, 0 when more are needed. */
  #take(input: Buffer, out: Buffer[]): number {
    const expected = this.#expected;
    switch (expected.kind) {
      case 'content': {
        const taken = input.subarray(0, expected.left);
        if (taken.length > 0) {
          out.push(taken);
          this.#expect(expected.left - taken.length);
        }
        return taken.length;
      }
      case 'records': {
        const wanted = paddedBytes(expected.sizeBytes);
        if (input.length < wanted) {
          return 0;
        }
        this.#takeRecords(expected, input.subarray(0, wanted));
        return wanted;
      }
      case 'header':
        if (input.length < BLOCK_BYTES) {
          return 0;
        }
        out.push(...this.#takeHeader(input.subarray(0, BLOCK_BYTES)));
        return BLOCK_BYTES;
    }
  }

  /** So many bytes of content, then a header. */
  #expect(contentBytes: number): void {
    this.#expected =
      contentBytes === 0 ? { kind: 'header' } : { kind: 'content', left: contentBytes };
  }

  /**
   * The end of the archive. How many zeros tar puts there depends on what of the overlay's was in it.
   *
   * @throws Error when the archive stopped in the middle of something.
   */
  end(): Buffer {
    if (this.#expected.kind !== 'header' || this.#rest.length > 0) {
      throw new Error('The archive of a layer ended too early');
    }
    return Buffer.alloc(2 * BLOCK_BYTES);
  }

  #takeRecords(expected: Expected & { kind: 'records' }, piece: Buffer): void {
    const records = readRecords(piece.subarray(0, expected.sizeBytes));
    const incomplete = records.find(({ key }) => INCOMPLETE.test(key));
    if (incomplete !== undefined) {
      throw new Error(`A layer has a file with the attribute ${incomplete.key}`);
    }
    this.#extended = { header: expected.header, records };
    this.#expected = { kind: 'header' };
  }

  #takeHeader(block: Buffer): readonly Buffer[] {
    const fields = readBlock(block);
    if (isZeroBlock(block)) {
      return [];
    }
    if (fields.type === 'x') {
      this.#expected = {
        kind: 'records',
        header: Buffer.from(block),
        sizeBytes: fields.sizeBytes,
      };
      return [];
    }
    const records = this.#extended?.records ?? [];
    const name = recordOf(records, 'path') ?? fields.name;
    const linkName = recordOf(records, 'linkpath') ?? fields.linkName;
    const isDevice = fields.type === '3' && fields.device.major === 0 && fields.device.minor === 0;
    if (isDevice || (fields.type === '1' && this.#whiteouts.has(linkName))) {
      this.#extended = undefined;
      this.#whiteouts.add(name);
      return [renderEmptyFile(whiteoutOf(name), block)];
    }
    const sizeBytes = Number(recordOf(records, 'size') ?? fields.sizeBytes);
    this.#expect(contentBytes(fields.type, sizeBytes));
    const isOpaque =
      this.#hiding === undefined
        ? records.some(({ key, value }) => OPAQUE.test(key) && value === 'y')
        : this.#hiding.has(name.replaceAll(/^\.\/|\/$/g, ''));
    return [
      ...this.#renderExtended(),
      block,
      ...(isOpaque ? [renderEmptyFile(`${name.replace(/\/*$/, '/')}.wh..wh..opq`, block)] : []),
    ];
  }

  /** The extended header without the overlay's own attributes; nothing when nothing else is in it. */
  #renderExtended(): readonly Buffer[] {
    const extended = this.#extended;
    this.#extended = undefined;
    const kept = extended?.records.filter(({ key }) => !OVERLAY.test(key)) ?? [];
    return extended === undefined || kept.length === 0
      ? []
      : [renderRecords(inOrder(kept), extended.header)];
  }
}

function whiteoutOf(name: string): string {
  const slash = name.lastIndexOf('/') + 1;
  return `${name.slice(0, slash)}.wh.${name.slice(slash)}`;
}
