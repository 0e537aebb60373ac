/** `dibkit extract`: the archive of a root file system into a directory. */
import { Command } from 'commander';
import { type ExtractionHost, extractArchive } from '../cache/extract.ts';
import type { Context } from '../events/event.ts';
import { Failed, hostError, usageError } from '../events/failure.ts';
import { runInCell } from '../sandbox/cell.ts';
import { findTool, toolPath } from '../sandbox/host-tools.ts';
import { inUserNamespace } from '../sandbox/user-namespace.ts';
import { parseArguments } from './parse-arguments.ts';

const DETAILS = `
ARCHIVE is a tar, compressed with gzip, xz, zstd or bzip2 or not at all, or a squashfs; its name does
not matter. Owners (by number), modes, ACLs, capabilities and other extended attributes, hard links,
device nodes and holes are kept; SELinux labels are not. Nothing outside ROOT can be reached, whatever
the archive contains.

While it runs, and when it has failed, ROOT has a file .dibkit-extract-incomplete.

Examples:
  dibkit extract rootfs.tar.xz /mnt
  dibkit extract noble-server-cloudimg-amd64.squashfs "$TARGET_ROOT"
      in a hook, where the command is called dib-extract

Exit status: 0 done, 1 a tool failed, 2 wrong arguments, 3 the host lacks something, 4 the archive is
damaged or hostile.
`;

const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

export async function extract(argv: readonly string[]): Promise<number> {
  const command = new Command('dibkit extract')
    .description('Puts the archive of a root file system into the directory ROOT.')
    .argument('<archive>')
    .argument('<root>')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', DETAILS);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const [archive, root] = command.args;
  if (archive === undefined || root === undefined) {
    throw usageError('An archive and a directory are needed', 'See: dibkit extract --help');
  }
  if (process.geteuid?.() !== 0) {
    throw hostError(
      'Cannot extract a root file system: its owners need root privileges',
      'Run it as root, for example with sudo -E',
    );
  }
  const startedAt = performance.now();
  const { format, tools } = await untilSignalled((context) =>
    extractArchive(archive, root, extractionHost(context)),
  );
  const took = ((performance.now() - startedAt) / 1000).toFixed(1);
  process.stdout.write(
    `Extracted '${archive}' (${format}) with ${tools.join(' and ')} in ${took} s\n`,
  );
  return 0;
}

/** What extraction needs of the host, with the programs of this one. */
export function extractionHost(context: Context): ExtractionHost {
  const searchPath = context.toolEnvironment.PATH ?? '';
  return {
    isInstalled: async (tool) => findTool(tool, searchPath) !== undefined,
    makesDevices: !inUserNamespace(),
    runInCell: async (request) => {
      const report = await runInCell(request, context);
      context.signal.throwIfAborted();
      return report;
    },
  };
}

/** Runs `work`; a signal stops what it started. @throws Failed `interrupted` */
export async function untilSignalled<T>(work: (context: Context) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  let signalled: number | undefined;
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.once(name, () => {
      signalled = number;
      stop.abort();
    });
  }
  const PATH = toolPath(process.env.PATH);
  try {
    return await work({ emit: () => {}, signal: stop.signal, toolEnvironment: { PATH } });
  } catch (error) {
    if (signalled === undefined) {
      throw error;
    }
    throw new Failed(
      { kind: 'interrupted', message: 'Interrupted', signal: signalled },
      { cause: error },
    );
  }
}
