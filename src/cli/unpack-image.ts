/** `dibkit unpack-image`, which hooks call as `dib-unpack-image`: a container image into a directory. */

import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import { type Unpacked, unpackImage } from '../cache/docker-archive-apply.ts';
import type { Decompressing } from '../cache/docker-archive-read.ts';
import type { Context } from '../events/event.ts';
import { failureOf, usageError } from '../events/failure.ts';
import { makeNamedDirectories } from '../events/make-directories.ts';
import { findTool } from '../sandbox/host-tools.ts';
import { type Running, runTool, start, statusOf } from '../sandbox/process.ts';
import { extractionHost, untilSignalled } from './extract.ts';
import { temporaryParent } from './host-facts.ts';
import { parseArguments } from './parse-arguments.ts';

const DETAILS = `
ARCHIVE is what 'docker save' or 'skopeo copy docker-archive:' wrote, compressed or not. Its layers are
put over each other, what an upper layer deletes is deleted, and every layer is compared with the
digest in the image's configuration. How files are written: see 'dibkit extract --help'.

The layers are in TMPDIR for the time of that. With --keep, the layer of an archive that dib-fetch has
verified is kept in DIR, compressed with zstd, and is used as long as the archive is the same.

Examples:
  docker save team/web:1.0 | zstd >web.tar.zst && dibkit unpack-image web.tar.zst /mnt
  dibkit unpack-image --keep "$DIB_IMAGE_CACHE/layers-of" openEuler-docker.tar.xz "$TARGET_ROOT"
      in a hook, where the command is called dib-unpack-image

Exit status: 0 done, 1 a tool failed, 2 wrong arguments, 3 the host lacks something, 4 the archive is
damaged or hostile.
`;

/** Status 0: the image is there, all of it. */
export async function unpackImageCommand(argv: readonly string[]): Promise<number> {
  const command = new Command('dibkit unpack-image')
    .description('Puts the root file system of a container image into the directory ROOT.')
    .argument('<archive>')
    .argument('<root>')
    .option('--keep <dir>', 'a directory for what saves work the next time')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', DETAILS);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const [archive, root] = command.args;
  if (archive === undefined || root === undefined) {
    throw usageError('An archive and a directory are needed', 'See: dibkit unpack-image --help');
  }
  const spool = await mkdtemp(path.join(temporaryParent(), 'dib-layers-'));
  const { keep } = command.opts<{ readonly keep?: string }>();
  try {
    const unpacked = await untilSignalled(async (context) => {
      if (keep !== undefined) {
        await makeNamedDirectories(keep);
      }
      return unpackImage(
        { archive, root, spool, ...(keep === undefined ? {} : { keep }) },
        {
          ...extractionHost(context),
          signal: context.signal,
          compress: (from, to) => compress(from, to, context),
          decompress: (argv, input): Decompressing => {
            const env = { ...context.toolEnvironment, LC_ALL: 'C' };
            return decompression(
              start({ argv, env, stdin: 'pipe', output: 'separate' }, context.signal),
              input,
            );
          },
        },
      );
    });
    process.stdout.write(`Unpacked '${archive}': ${describe(unpacked)}\n`);
    return 0;
  } finally {
    await rm(spool, { recursive: true, force: true });
  }
}

function describe({ digests, kept }: Unpacked): string {
  const count = `${digests.length} layer${digests.length === 1 ? '' : 's'}`;
  return kept ? `${count}, decompressed before` : count;
}

/** With all cores, and as fast as it can be read. The image is unpacked also where this fails. */
async function compress(from: string, to: string, context: Context): Promise<boolean> {
  if (findTool('zstd', context.toolEnvironment.PATH ?? '') === undefined) {
    return false;
  }
  try {
    await runTool(['zstd', '-q', '-T0', '-1', '-o', to, '--', from], context);
    return true;
  } catch (error) {
    context.signal.throwIfAborted();
    process.stderr.write(`Cannot keep what was decompressed: ${failureOf(error).message}\n`);
    return false;
  }
}

/** Feeds a program that has been started. Its complaints are not shown: its status says enough. */
function decompression(running: Running, archive: Readable): Decompressing {
  if (running.input !== undefined) {
    // The program may stop reading; that shows in its status.
    pipeline(archive, running.input).catch(() => {});
  }
  running.stderr?.resume();
  return { output: running.stdout ?? Readable.from([]), status: running.exit.then(statusOf) };
}
