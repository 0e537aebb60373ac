/** `dibkit unpack-image`, which hooks call as `dib-unpack-image`: a container image into a directory. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Command } from 'commander';
import { unpackImage } from '../cache/docker-archive-apply.ts';
import type { Decompression } from '../cache/docker-archive-read.ts';
import { usageError } from '../events/failure.ts';
import { type Running, start, statusOf } from '../sandbox/process.ts';
import { extractionHost, untilSignalled } from './extract.ts';
import { parseArguments } from './parse-arguments.ts';

const DETAILS = `
ARCHIVE is what 'docker save' or 'skopeo copy docker-archive:' wrote, compressed or not. Its layers are
put over each other, what an upper layer deletes is deleted, and every layer is compared with the
digest in the image's configuration. How files are written: see 'dibkit extract --help'.

The layers are kept in TMPDIR for the time of that.

Exit status: 0 done, 1 a tool failed, 2 wrong arguments, 3 the host lacks something, 4 the archive is
damaged or hostile.
`;

/** Status 0: the image is there, all of it. */
export async function unpackImageCommand(argv: readonly string[]): Promise<number> {
  const command = new Command('dibkit unpack-image')
    .description('Puts the root file system of a container image into the directory ROOT.')
    .argument('<archive>')
    .argument('<root>')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', DETAILS);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const [archive, root] = command.args;
  if (archive === undefined || root === undefined) {
    throw usageError('An archive and a directory are needed', 'See: dibkit unpack-image --help');
  }
  const spool = await mkdtemp(path.join(os.tmpdir(), 'dib-layers-'));
  try {
    const digests = await untilSignalled((context) =>
      unpackImage(
        { archive, root, spool },
        {
          ...extractionHost(context),
          decompress: (argv, input): Decompression => {
            const env = { ...context.toolEnvironment, LC_ALL: 'C' };
            return decompression(
              start({ argv, env, stdin: 'pipe', output: 'separate' }, context.signal),
              input,
            );
          },
        },
      ),
    );
    process.stdout.write(
      `Unpacked '${archive}': ${digests.length} layer${digests.length === 1 ? '' : 's'}\n`,
    );
    return 0;
  } finally {
    await rm(spool, { recursive: true, force: true });
  }
}

/** Feeds a program that has been started. Its complaints are not shown: its status says enough. */
function decompression(running: Running, archive: Readable): Decompression {
  if (running.input !== undefined) {
    // The program may stop reading; that shows in its status.
    pipeline(archive, running.input).catch(() => {});
  }
  running.stderr?.resume();
  return { output: running.stdout ?? Readable.from([]), status: running.exit.then(statusOf) };
}
