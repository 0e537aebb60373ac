/** What went wrong with an extraction, from what its programs did and said. Pure. */
import type { Failure } from '../events/failure.ts';

/** What the cell reported. */
export interface ExtractionFacts {
  readonly archive: string;
  readonly root: string;
  /** Statuses; undefined where the cell did not get that far. */
  readonly feeder: number | undefined;
  readonly writer: number | undefined;
  /** What was wrong with the archive where we decompress it, as Node says it. */
  readonly inputError?: NodeJS.ErrnoException | undefined;
  /** Empty where no program decompresses. */
  readonly feed: readonly string[];
  readonly write: readonly string[];
  /** Of the writer, on its standard output. */
  readonly printed: readonly string[];
  /** Of all, on standard error, oldest first. */
  readonly said: readonly string[];
  /** Whether device nodes can be made here; where not, that they are missing is no failure. */
  readonly makesDevices: boolean;
}

/** What tar and unsquashfs say of a device node that they may not make, and nothing else. */
const DEVICE_COMPLAINTS: readonly RegExp[] = [
  /: Cannot mknod: Operation not permitted$/,
  /: failed to create (character|block) device .*, because Operation not permitted$/,
  /: Exiting with failure status due to previous errors$/,
  /^$/,
];

/** 128 + SIGPIPE: the writer had failed before, and its reason is the one to tell. */
const BROKEN_PIPE = 141;

/** What tar says of an archive that is not what it should be, as opposed to of the disk. */
const ARCHIVE_COMPLAINTS: readonly RegExp[] = [
  /Unexpected EOF in archive/,
  /does not look like a tar archive/,
  /Skipping to next header/,
  /Member name contains '\.\.'/,
  /Malformed|invalid header|Archive contains|rmtlseek not stopped at a record boundary/i,
  /corrupt|Can't find a SQUASHFS superblock|failed to read|zlib::uncompress|lzma::|FATAL ERROR.*read/i,
];

const FULL_DISK = /No space left on device|Disk quota exceeded|: Wrote only \d+ of \d+ bytes/;

/** The failure, or undefined when the archive is in the root, all of it. */
export function judgeExtraction(facts: ExtractionFacts): Failure | undefined {
  if (facts.said.some((line) => FULL_DISK.test(line))) {
    return {
      kind: 'disk-full',
      message: `No space left on the device while extracting '${facts.archive}'`,
      path: facts.root,
      hint: `Free some space; ${leftover(facts)}`,
    };
  }
  if (facts.feeder === undefined || facts.writer === undefined) {
    return cellFailure(facts);
  }
  if (facts.inputError !== undefined) {
    return badArchive({ ...facts, said: [] }, describeInputError(facts.inputError));
  }
  if (facts.feeder !== 0 && facts.feeder !== BROKEN_PIPE) {
    return badArchive(facts, `${facts.feed[0]} failed with status ${facts.feeder}`);
  }
  if (facts.writer !== 0 && !onlyLacksDevices(facts)) {
    return writerFailure(facts, facts.writer);
  }
  return facts.write[0] === 'tar' && !facts.printed.some((line) => /Block of NULs/.test(line))
    ? badArchive(facts, 'it has no end mark: it was cut off')
    : undefined;
}

/** Source: zlib's return codes, as Node names them. */
function describeInputError({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'Z_BUF_ERROR':
      return 'it was cut off';
    case 'Z_DATA_ERROR':
      return `it is damaged: ${message}`;
    default:
      return `it cannot be read: ${message}`;
  }
}

/** The device nodes of a running system come from its kernel; those of an archive are for old ones. */
function onlyLacksDevices({ makesDevices, writer, said }: ExtractionFacts): boolean {
  return (
    !makesDevices &&
    writer === 2 &&
    said.some((line) => line !== '') &&
    said.every((line) => DEVICE_COMPLAINTS.some((each) => each.test(line)))
  );
}

function writerFailure(facts: ExtractionFacts, status: number): Failure {
  const complaint = facts.said.find((line) => ARCHIVE_COMPLAINTS.some((each) => each.test(line)));
  if (complaint !== undefined) {
    return badArchive(facts, withoutProgram(complaint));
  }
  return {
    kind: 'tool',
    message: `Cannot extract '${facts.archive}': ${facts.write[0]} failed with status ${status}`,
    argv: facts.write,
    status,
    lastLines: facts.said.slice(-KEPT_LINES),
    hint: leftover(facts),
  };
}

const KEPT_LINES = 20;

function badArchive(facts: ExtractionFacts, why: string): Failure {
  const said = facts.said.map(withoutProgram).filter((line) => !why.includes(line));
  const detail = said.length === 0 ? '' : ` (${said[0]})`;
  return {
    kind: 'verify',
    message: `Cannot extract '${facts.archive}': ${why}${detail}`,
    hint: `Get the archive again; ${leftover(facts)}`,
  };
}

function cellFailure(facts: ExtractionFacts): Failure {
  return {
    kind: 'host',
    message: `Cannot confine the extraction of '${facts.archive}': ${facts.said.at(-1) ?? 'unshare failed'}`,
    hint: 'Root privileges are needed, and a kernel that allows mount namespaces',
  };
}

/** Programs in the cell are known as `/tool`; which one it was is in the message already. */
function withoutProgram(line: string): string {
  return line.replace(/^(\/tool|tar|xz|zstd|bzip2): /, '').replace(/^block \d+: /, '');
}

function leftover(facts: ExtractionFacts): string {
  return `what is in '${facts.root}' is incomplete: remove it`;
}
