/** The command `diskimage-builder`: the images that YAML files describe, each built by its own command. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { configError, usageError } from '../events/failure.ts';
import { type ImageFile, readImageFiles } from '../plan/image-file.ts';
import { runCommand } from './main.ts';
import { packageVersion } from './package-paths.ts';
import { parseArguments } from './parse-arguments.ts';
import { withStopSignal } from './stop-signal.ts';

const DETAILS = `
A FILE is a list of images:

  - imagename: web
    types: [qcow2, raw]
    elements: [vm, debian-minimal, openssh-server]
    packages: [nginx]
    environment:
      DIB_RELEASE: trixie

Entries with the same imagename are one image: lists grow, the keys of maps and all other values are
replaced by later ones; an entry without a name belongs to the image before it. Several files are
read as if they were one. Options of disk-image-create are properties under their long names, but
for --events, --resume, --explain, and those of layers (set DIB_NO_LAYERS and DIB_CACHE_... in
'environment'); the others are 'arch', 'types', 'elements', 'packages', 'debug-trace',
'uncompressed', 'clear', 'skip-base', 'environment' and 'ramdisk' (true: ramdisk-image-create builds it).

Environment:
  as for disk-image-create; an image's 'environment' wins over it

Examples:
  diskimage-builder images.yaml
  diskimage-builder --dry-run images.yaml site.yaml
      the commands, and nothing is run
  diskimage-builder -j 2 --logs logs images.yaml
      two images at once, with a log file for each

Exit codes: 0 all images were built; 2 a file cannot be used, nothing was built; else the status of
the first image that failed. An image that fails does not keep the others from being built.
`;

interface Options {
  readonly dryRun?: true;
  readonly stopOnFailure?: true;
  readonly jobs: string;
  readonly logs?: string;
}

void runCommand(
  async () => {
    const command = new Command('diskimage-builder')
      .description('Builds the images that YAML files describe.')
      .usage('[OPTION]... FILE...')
      .argument('<file...>', 'lists of images')
      .option('--dry-run', 'print the commands and run nothing')
      .option('--stop-on-failure', 'start no other image when one has failed')
      .option('-j, --jobs <n>', 'how many images to build at once', '1')
      .option('--logs <dir>', 'append what each build prints to DIR/NAME.log')
      .version(packageVersion(), '--version', 'print the version')
      .helpOption('-h, --help', 'print this help')
      .addHelpText('after', DETAILS);
    if (parseArguments(command, process.argv.slice(2)) === 'done') {
      return 0;
    }
    const { dryRun, stopOnFailure, jobs, logs } = command.opts<Options>();
    if (!/^[1-9]\d*$/.test(jobs)) {
      throw usageError(`Option '--jobs' needs a number from 1: '${jobs}'`);
    }
    const images = readImageFiles(await Promise.all(command.args.map(readImageFile)));
    const { buildImages, printJob } = await import('./build-images.ts');
    if (dryRun === true) {
      images.forEach(printJob);
      return 0;
    }
    const policy = { atOnce: Number(jobs), stopOnFailure: stopOnFailure === true };
    return await withStopSignal((signal) =>
      buildImages(images, { ...policy, signal, ...(logs === undefined ? {} : { logs }) }),
    );
  },
  { outlivesReaders: true },
);

async function readImageFile(file: string): Promise<ImageFile> {
  try {
    return { file, text: new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file)) };
  } catch (error) {
    const reason = error instanceof TypeError ? 'it is not UTF-8 text' : (error as Error).message;
    throw configError(`Cannot read the image file '${file}': ${reason}`);
  }
}
