/** `dibkit clean`: removes what builds left that could not clean up after themselves. */
import path from 'node:path';
import { Command } from 'commander';
import { forsakenPartials, removePartial } from '../cache/partial-file.ts';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import { findLeftovers, type Leftover } from '../phases/leftovers.ts';
import { toolPath } from '../sandbox/host-tools.ts';
import { privilegedArgv } from '../sandbox/namespace.ts';
import { runTool } from '../sandbox/process.ts';
import { neededPrivilege } from '../sandbox/user-namespace.ts';
import { ownEnvironment, toolEnvironment } from './host-facts.ts';
import { imageCacheDirectory } from './image-cache.ts';
import { parseArguments } from './parse-arguments.ts';

const EXAMPLES = `
A build cleans up after itself however it ends. What can be left is from a loss of power, or from other
tools: work directories (dib_build.*, dib_image.*) in TMPDIR, downloads in the image cache that nobody goes
on with, and unfinished images beside where they were to be. Only what is yours; never what a process, a mount or a
loop device uses, or what was made in the last ten minutes.

Examples:
  dibkit clean --dry-run
      what would be removed, and what would stay and why
  dibkit clean
  dibkit clean /srv/images
      also unfinished images in that directory
`;

export async function clean(argv: readonly string[]): Promise<number> {
  const command = new Command('dibkit clean')
    .description('Removes what builds left that could not clean up after themselves.')
    .usage('[OPTION]... [DIRECTORY]...')
    .argument('[DIRECTORY...]', 'where images are written')
    .option('--dry-run', 'remove nothing')
    .option('--image-cache <DIR>', 'where downloads are kept')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const options = command.opts<{ readonly dryRun?: true; readonly imageCache?: string }>();
  const own = ownEnvironment();
  const cache = imageCacheDirectory(options.imageCache);
  const places = [own.TMPDIR || own.TMP_DIR || '/tmp', ...command.args, '.'];
  const leftovers = await findLeftovers(
    places.map((place) => path.resolve(place)),
    process.geteuid?.() ?? 0,
  );
  const partials = await forsakenPartials(cache);
  const all: readonly Leftover[] = [...leftovers, ...partials.map((file) => ({ path: file }))];
  for (const leftover of all) {
    process.stdout.write(`${lineFor(leftover, options.dryRun === true)}\n`);
  }
  if (!options.dryRun) {
    await removeAll(leftovers, partials);
  }
  if (all.length === 0) {
    process.stdout.write('Nothing is left of any build\n');
  }
  return 0;
}

function lineFor({ path: file, inUse }: Leftover, dryRun: boolean): string {
  return inUse === undefined
    ? `${dryRun ? 'Would remove' : 'Removing'} ${file}`
    : `Keeping ${file}: ${inUse}`;
}

async function removeAll(
  leftovers: readonly Leftover[],
  partials: readonly string[],
): Promise<void> {
  const context: Context = {
    emit: () => {},
    signal: new AbortController().signal,
    toolEnvironment: toolEnvironment(toolPath(ownEnvironment().PATH)),
  };
  const failed: string[] = [];
  for (const { path: file } of leftovers.filter(({ inUse }) => inUse === undefined)) {
    // What hooks made belongs to ids of the user's own range.
    const remove = privilegedArgv(
      ['rm', '-rf', '--one-file-system', '--', file],
      neededPrivilege(),
    );
    await runTool(remove, context, { announce: false }).catch((error) => {
      failed.push(`${file}: ${error instanceof Failed ? error.failure.message : String(error)}`);
    });
  }
  await Promise.all(partials.map(removePartial));
  if (failed.length > 0) {
    throw new Failed({
      kind: 'tool',
      message: ['Cannot remove everything', ...failed].join('\n'),
      argv: [],
      status: 1,
      lastLines: [],
    });
  }
}
