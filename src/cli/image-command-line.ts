/** The command line of `disk-image-create`, parsed by commander from the table of options. */
import { Command, Option } from 'commander';
import {
  expandAbbreviations,
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

const EXAMPLES = `
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
): ImageCommandLine | undefined {
  const command = imageCommand(version);
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

function imageCommand(version: string): Command {
  const command = new Command('disk-image-create')
    .description('Builds a disk image from elements.')
    .usage('[OPTION]... ELEMENT...')
    .argument('[ELEMENT...]', 'what the image is made of; element-info lists dependencies')
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES)
    .allowExcessArguments();
  for (const row of OPTIONS) {
    command.addOption(optionFor(row));
  }
  return command;
}

function optionFor(row: OptionRow): Option {
  const names = [row.short, row.long].filter((name) => name !== undefined).join(', ');
  const option = new Option(row.value === undefined ? names : `${names} <${row.value}>`, row.help);
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
