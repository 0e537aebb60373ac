/** The options of mke2fs that decide how much room is left for files. Pure. Source: mke2fs(8). */

export interface ExtOptions {
  readonly blockBytes?: number;
  readonly inodeRatio?: number;
  readonly inodes?: number;
  readonly inodeBytes: number;
  readonly journal: boolean;
  readonly journalMiB?: number;
  readonly is64Bit: boolean;
  readonly extents: boolean;
  readonly checksums: boolean;
  readonly resizeInode: boolean;
  /** `-E resize=`: in blocks. */
  readonly resizeTo?: number;
}

type Mutable = { -readonly [Key in keyof ExtOptions]: ExtOptions[Key] };

/** As `mke2fs-config.ts` has them. */
function defaultsOf(type: string): Mutable {
  return {
    inodeBytes: 256,
    journal: type !== 'ext2',
    is64Bit: type === 'ext4',
    extents: type === 'ext4',
    checksums: type === 'ext4',
    resizeInode: true,
  };
}

/** Features that leave the places of things as they are. */
const HARMLESS_FEATURES = new Set([
  ...['acl', 'dir_index', 'dir_nlink', 'encrypt', 'ext_attr', 'extra_isize', 'filetype'],
  ...['huge_file', 'large_file', 'metadata_csum_seed', 'uninit_bg', 'verity'],
]);

const FEATURES: Readonly<Record<string, (to: Mutable, on: boolean) => void>> = {
  has_journal: (to, on) => {
    to.journal = on;
  },
  '64bit': (to, on) => {
    to.is64Bit = on;
  },
  extent: (to, on) => {
    to.extents = on;
  },
  extents: (to, on) => {
    to.extents = on;
  },
  metadata_csum: (to, on) => {
    to.checksums = on;
  },
  resize_inode: (to, on) => {
    to.resizeInode = on;
  },
};

/** `-E` words that do not change the room. */
const HARMLESS_EXTENDED =
  /^(?:offset|hash_seed|root_owner|lazy_itable_init|lazy_journal_init|stride|stripe[-_]width|nodiscard|discard|mmp_update_interval)(?:=|$)/;

/** Options that take a value and change no room: labels, owners, checks. */
const HARMLESS_WITH_VALUE = new Set(['-L', '-U', '-m', '-M', '-o', '-e', '-z']);
const HARMLESS_FLAGS = new Set(['-q', '-F', '-v', '-K', '-D']);

/** The reader of each option with a value; false: its value is not understood. */
const READERS: Readonly<Record<string, (to: Mutable, value: string) => boolean>> = {
  '-b': (to, value) => positive(value, (number) => (to.blockBytes = number)),
  '-i': (to, value) => positive(value, (number) => (to.inodeRatio = number)),
  '-I': (to, value) => positive(value, (number) => (to.inodeBytes = number)),
  '-N': (to, value) => positive(value, (number) => (to.inodes = number)),
  '-J': (to, value) =>
    value
      .split(',')
      .every((word) =>
        positive(/^size=(.*)$/.exec(word)?.[1] ?? '', (mib) => (to.journalMiB = mib)),
      ),
  '-E': (to, value) =>
    value
      .split(',')
      .every(
        (word) =>
          HARMLESS_EXTENDED.test(word) ||
          positive(/^resize=(.*)$/.exec(word)?.[1] ?? '', (blocks) => (to.resizeTo = blocks)),
      ),
  '-O': (to, value) => value.split(',').every((word) => readFeature(to, word)),
};

function positive(text: string, put: (value: number) => void): boolean {
  const isNumber = /^[1-9]\d*$/.test(text);
  if (isNumber) {
    put(Number(text));
  }
  return isNumber;
}

function readFeature(to: Mutable, word: string): boolean {
  const name = word.replace(/^\^/, '');
  const set = Object.hasOwn(FEATURES, name) ? FEATURES[name] : undefined;
  set?.(to, !word.startsWith('^'));
  return set !== undefined || HARMLESS_FEATURES.has(name);
}

/** Undefined where an option is not understood: then nobody but mke2fs knows. */
export function parseExtOptions(type: string, options: readonly string[]): ExtOptions | undefined {
  const parsed = defaultsOf(type);
  for (let at = 0; at < options.length; at++) {
    const word = options[at] ?? '';
    if (HARMLESS_FLAGS.has(word)) {
      continue;
    }
    const [flag, attached] = [word.slice(0, 2), word.slice(2)];
    const value = attached === '' ? (options[++at] ?? '') : attached;
    const read = Object.hasOwn(READERS, flag) ? READERS[flag] : undefined;
    if (!(HARMLESS_WITH_VALUE.has(flag) || read?.(parsed, value) === true)) {
      return undefined;
    }
  }
  return parsed;
}
