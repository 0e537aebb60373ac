/** The command line of `disk-image-create` and its like, parsed by commander from the table of options. */
import { Command, Option } from 'commander';
import {
  expandAbbreviations,
  type ImageCommand,
  OPTIONS,
  type OptionRow,
  type OptionValues,
  optionName,
} from '../plan/options.ts';
import { parseArguments } from './parse-arguments.ts';

export interface ImageCommandLine {
  readonly options: OptionValues;
  readonly elements: readonly string[];
}

const DISK_EXAMPLES = `
Examples:
  disk-image-create vm debian-minimal
      a bootable image.qcow2 of Debian stable
  disk-image-create -o web -t qcow2,raw --checksum -p nginx,curl vm debian-minimal openssh-server
      two formats with checksums and two packages more
  DIB_RELEASE=bookworm disk-image-create -t tar debian-minimal
      a root file system as image.tar
  disk-image-create -o web -t oci,docker --docker-target team/web:1.0 debian-minimal my-element
      an image for containers, loaded into Docker where one runs
  break=after-error disk-image-create vm debian-minimal my-element
      a shell where the build fails; 'retry' there runs the mended hook again
  break=before-install.d/50-foo,after-finalise disk-image-create vm debian-minimal my-element
      a shell before a hook, and after a phase
`;

const RAMDISK_EXAMPLES = `
Examples:
  ramdisk-image-create debian-minimal
      image.kernel and image.initramfs, to be started over the network for example
  ramdisk-image-create -o deploy --checksum debian-minimal my-element
      with the scripts that my-element has in init.d, and checksums
  DIB_RAMDISK_MODULES='virtio_pci virtio_net' ramdisk-image-create debian-minimal my-element
      small: with these modules of the kernel, and what they need, instead of all
  ramdisk-image-create --ramdisk-element dracut-ramdisk debian-minimal my-element
      made by dracut
  ramdisk-image-create -t tar -o deploy debian-minimal my-element
      and the system that it was made from, as deploy.tar
`;

const RAMDISK_VARIABLES = `  RAMDISK_ELEMENT       as --ramdisk-element
  DIB_KERNEL_VERSION    which of several kernels (default: the newest)
  DIB_RAMDISK_MODULES   modules of the kernel to have (default: all)
  DIB_RAMDISK_COMPRESSION
                        gzip, zstd or xz (default: gzip)
`;

const VARIABLES = `
Variables:
  ELEMENTS_PATH         directories with your own elements, separated by colons; earlier ones win
  DIB_RELEASE           release of the distribution, for the elements that install one
  DIB_DISTRIBUTION_MIRROR
                        where they install it from
  DIB_IMAGE_CACHE       as --image-cache; DIB_OFFLINE, DIB_IMAGE_SIZE, ... likewise
  DIB_BLOCK_DEVICE_CONFIG
                        layout of the disk: YAML, or file://PATH
  DIB_CONTAINER_CMD, DIB_CONTAINER_ENV, ...
                        how a container of the image is run; see docs/containers.md
  OVERWRITE_OLD_IMAGE=1 replace an old image instead of renaming it
  DIB_QUIET, DIB_NO_TIMESTAMP, DIB_DEBUG_TRACE
                        how much is printed
  break                 where to stop for a look: a comma list of before-PHASE, after-PHASE,
                        before-PHASE.d/HOOK, after-PHASE.d/HOOK, after-error
  break_cmd, break_outside_target
                        a command instead of the shell; the shell of after-error on the host
  TMPDIR                where to build when memory is too small

Exit codes: 0 done, 1 a hook or tool failed, 2 usage or configuration, 3 the host lacks something,
4 an input failed verification, 5 waited too long for a lock, 70 our own bug, 128+n signal n`;

/** What argv asks for; undefined when help or the version was printed. @throws Failed `usage`. */
export function parseImageCommandLine(
  argv: readonly string[],
  version: string,
  name: ImageCommand = 'disk-image-create',
): ImageCommandLine | undefined {
  const command = imageCommand(name, version);
  if (parseArguments(command, expandAbbreviations(argv)) === 'done') {
    return undefined;
  }
  const given = command.opts<Record<string, unknown>>();
  const options = Object.fromEntries(
    OPTIONS.map((row) => [row.key, givenValue(row, given)]).filter(
      ([, value]) => value !== undefined,
    ),
  ) as OptionValues;
  return { options, elements: command.args };
}

const HELP: Readonly<
  Record<ImageCommand, { readonly description: string; readonly after: string }>
> = {
  'disk-image-create': {
    description: 'Builds a disk image from elements.',
    after: DISK_EXAMPLES + VARIABLES,
  },
  'ramdisk-image-create': {
    description: 'Builds a RAM disk from elements: a kernel, and an initramfs for it.',
    after: RAMDISK_EXAMPLES + VARIABLES.replace('Variables:\n', `Variables:\n${RAMDISK_VARIABLES}`),
  },
};

function imageCommand(name: ImageCommand, version: string): Command {
  const command = new Command(name)
    .description(HELP[name].description)
    .usage('[OPTION]... ELEMENT...')
    .argument('[ELEMENT...]', 'what the image is made of; element-info lists dependencies')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', HELP[name].after)
    .allowExcessArguments();
  for (const row of OPTIONS) {
    command.addOption(optionFor(name, row));
  }
  return command;
}

function optionFor(command: ImageCommand, row: OptionRow): Option {
  const names = [row.short, row.long].filter((name) => name !== undefined).join(', ');
  const said = command === 'ramdisk-image-create' ? (row.ramdiskHelp ?? row.help) : row.help;
  const option = new Option(
    row.value === undefined ? names : `${names} <${row.value}>`,
    said || row.help,
  ).hideHelp(said === false);
  if (row.repeats && row.value === undefined) {
    return option.argParser<number>((_, count) => (count ?? 0) + 1);
  }
  if (row.repeats) {
    return option.argParser<string[]>((value, all) => [...(all ?? []), value]);
  }
  return option;
}

/** A row's value as commander keeps it: under the long name in camel case, else the letter. */
function givenValue(row: OptionRow, given: Readonly<Record<string, unknown>>): unknown {
  const name = optionName(row);
  if (row.long?.startsWith('--no-')) {
    // To commander `--no-tmpfs` says that "tmpfs" is false, and it is true otherwise.
    return given[camelCase(name.slice('no-'.length))] === false ? true : undefined;
  }
  return given[row.long === undefined ? name : camelCase(name)];
}

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
