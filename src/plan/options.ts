/**
 * The settings of `disk-image-create`, one row each: the parser, `--help` and the documentation are
 * made from this table. Source of names and defaults: lib/disk-image-create (compat).
 */
import { FORMATS } from './formats.ts';

/** The commands that have these settings. */
export type ImageCommand = 'disk-image-create' | 'ramdisk-image-create';

export interface OptionRow {
  readonly key: OptionKey;
  readonly short?: string;
  readonly long?: string;
  /** What the value is called; a row without one is a flag. */
  readonly value?: string;
  /** A flag or list that may be given several times. */
  readonly repeats?: boolean;
  readonly help: string;
  /** Of `ramdisk-image-create`, where it is another; false: not told, because it is about disks. */
  readonly ramdiskHelp?: string | false;
}

export type OptionKey =
  | 'arch'
  | 'output'
  | 'types'
  | 'trace'
  | 'uncompressed'
  | 'clearEnvironment'
  | 'skipBase'
  | 'packages'
  | 'checksum'
  | 'imageSize'
  | 'imageExtraSize'
  | 'imageCache'
  | 'maxOnlineResize'
  | 'minTmpfs'
  | 'mkfsJournalSize'
  | 'mkfsOptions'
  | 'noTmpfs'
  | 'offline'
  | 'qemuImgOptions'
  | 'rootLabel'
  | 'ramdiskElement'
  | 'installType'
  | 'dockerTarget'
  | 'noCache'
  | 'cacheFrom'
  | 'cacheMaxAge'
  | 'cacheSize'
  | 'resume'
  | 'explain'
  | 'logfile'
  | 'events';

export const OPTIONS: readonly OptionRow[] = [
  {
    key: 'arch',
    short: '-a',
    value: 'ARCH',
    help: "architecture of the image (default: the host's)",
  },
  {
    key: 'output',
    short: '-o',
    value: 'NAME',
    help: 'name of the image, without suffix (default: image)',
  },
  {
    key: 'types',
    short: '-t',
    value: 'TYPES',
    help: `comma list of ${FORMATS.map(({ type }) => type).join(', ')} (default: qcow2)`,
    ramdiskHelp: `comma list of ${FORMATS.filter(({ source }) => source === 'tree')
      .map(({ type }) => type)
      .join(', ')}: what to write of the tree too (default: nothing)`,
  },
  { key: 'trace', short: '-x', repeats: true, help: 'trace what hooks run; twice for more' },
  {
    key: 'uncompressed',
    short: '-u',
    help: 'do not compress the qcow2 (faster, larger)',
    ramdiskHelp: false,
  },
  { key: 'clearEnvironment', short: '-c', help: 'do not pass our environment to the hooks' },
  {
    key: 'logfile',
    long: '--logfile',
    value: 'FILE',
    help: 'append the log to FILE and be quiet here',
  },
  {
    key: 'events',
    long: '--events',
    value: 'FILE',
    help: 'write what happens as JSON lines to FILE',
  },
  { key: 'checksum', long: '--checksum', help: 'write .md5 and .sha256 files beside the images' },
  {
    key: 'imageSize',
    long: '--image-size',
    value: 'GiB',
    help: 'size of the image (default: computed)',
    ramdiskHelp: false,
  },
  {
    key: 'imageExtraSize',
    long: '--image-extra-size',
    value: 'MiB',
    help: 'room to add to the computed size, instead of two thirds of it',
    ramdiskHelp: false,
  },
  {
    key: 'imageCache',
    long: '--image-cache',
    value: 'DIR',
    help: 'where downloads are kept (default: ~/.cache/image-create)',
  },
  {
    key: 'maxOnlineResize',
    long: '--max-online-resize',
    value: 'BLOCKS',
    help: 'blocks that the root file system can be grown to while mounted',
    ramdiskHelp: false,
  },
  {
    key: 'minTmpfs',
    long: '--min-tmpfs',
    value: 'GiB',
    help: 'build in memory when the host has twice this (default: 2)',
  },
  {
    key: 'mkfsJournalSize',
    long: '--mkfs-journal-size',
    value: 'MiB',
    help: 'journal of the root file system (default: 64)',
    ramdiskHelp: false,
  },
  {
    key: 'mkfsOptions',
    long: '--mkfs-options',
    value: 'OPTIONS',
    help: 'more options for mkfs of the root file system',
    ramdiskHelp: false,
  },
  { key: 'noTmpfs', long: '--no-tmpfs', help: 'build on disk, not in memory' },
  { key: 'offline', long: '--offline', help: 'use what is cached without asking the network' },
  {
    key: 'qemuImgOptions',
    long: '--qemu-img-options',
    value: 'OPTIONS',
    help: 'comma list of key=value for qemu-img convert -o',
    ramdiskHelp: false,
  },
  {
    key: 'rootLabel',
    long: '--root-label',
    value: 'LABEL',
    help: 'label of the root file system (default: cloudimg-rootfs; xfs: img-rootfs)',
    ramdiskHelp: false,
  },
  {
    key: 'ramdiskElement',
    long: '--ramdisk-element',
    value: 'ELEMENT',
    help: 'what ramdisk-image-create builds on (default: ramdisk)',
    ramdiskHelp:
      'what makes the RAM disk: ramdisk, dracut-ramdisk or one of yours (default: ramdisk)',
  },
  {
    key: 'installType',
    long: '--install-type',
    value: 'TYPE',
    help: 'source or package, for elements that offer both (default: source)',
  },
  {
    key: 'dockerTarget',
    long: '--docker-target',
    value: 'REPO:TAG',
    help: 'name of the container image; -t docker is loaded into Docker too',
  },
  { key: 'noCache', long: '--no-cache', help: 'neither use nor keep layers of earlier builds' },
  {
    key: 'cacheFrom',
    long: '--cache-from',
    value: 'PHASE',
    help: 'use layers of what comes before PHASE only; run it and the rest anew',
  },
  {
    key: 'cacheMaxAge',
    long: '--cache-max-age',
    value: 'HOURS',
    help: 'do not use older layers that took undeclared things from the network (default: 168)',
  },
  {
    key: 'cacheSize',
    long: '--cache-size',
    value: 'GiB',
    help: 'above this, remove layers that were not used for long (default: 20)',
  },
  { key: 'resume', long: '--resume', help: 'go on where the last build of this image failed' },
  {
    key: 'explain',
    long: '--explain',
    help: 'say which phases would run and what changed for them; build nothing',
  },
  { key: 'skipBase', short: '-n', help: "do not add the element 'base'" },
  {
    key: 'packages',
    short: '-p',
    value: 'PACKAGES',
    repeats: true,
    help: 'comma list of packages to install in the image',
  },
];

/** What a command line said. Flags are true or absent, lists hold one entry per use. */
export type OptionValues = Partial<Record<OptionKey, string | true | number | readonly string[]>>;

/** A row's long name without dashes, or its short letter. */
export function optionName(row: OptionRow): string {
  return (row.long ?? row.short ?? row.key).replace(/^--?/, '');
}

/**
 * argv with unique prefixes of long options written out, as getopt accepts them:
 * `--image-s 1` is `--image-size 1`. Ambiguous and unknown ones are left for the parser to refuse.
 */
export function expandAbbreviations(argv: readonly string[]): readonly string[] {
  const known = [
    ...OPTIONS.map((row) => row.long).filter((name) => name !== undefined),
    '--help',
    '--version',
  ];
  const end = argv.indexOf('--');
  return argv.map((word, index) => {
    if (!word.startsWith('--') || (end !== -1 && index >= end)) {
      return word;
    }
    const [name = '', ...value] = word.split('=');
    const candidates = known.filter((option) => option.startsWith(name));
    const [only] = candidates;
    return known.includes(name) || candidates.length !== 1 || only === undefined
      ? word
      : [only, ...value].join('=');
  });
}
