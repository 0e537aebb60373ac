/** `dibkit diff`: two images, path by path. */
import { tmpdir } from 'node:os';
import { Command } from 'commander';
import { usageError } from '../events/failure.ts';
import { compareTrees, renderDifferences } from '../output/compare-trees.ts';
import { readContents } from '../output/read-contents.ts';
import { Reaper } from '../sandbox/reaper.ts';
import { Scope } from '../sandbox/scope.ts';
import { makeWorkDir } from '../sandbox/work-dir.ts';
import { untilSignalled } from './extract.ts';
import { parseArguments } from './parse-arguments.ts';

const DETAILS = `
Each side is a directory, a tar (compressed or not), a squashfs, or a disk image that qemu-img reads. One
line for each thing that differs: paths on one side only, and type, mode, owner, time, extended
attributes, target and content of the others. Files in a partition have its number in front. Run it as
root, or files that only root can read are told as an error.

Examples:
  dibkit diff monday.tar tuesday.tar
      what changed in the tree
  dibkit diff --json a.qcow2 b.qcow2 | jq -r '.[].path'
      the paths alone, of partitions and files
  dibkit diff --no-times a.tar b.tar
      without files that only have another time

Exit status: 0 nothing differs, 1 something does, or a tool failed; others as 'dibkit --help' lists them.
`;

export async function diff(argv: readonly string[]): Promise<number> {
  const command = new Command('dibkit diff')
    .description('Compares two images, archives or directories, path by path.')
    .argument('<left>')
    .argument('<right>')
    .option('--json', 'print the differences as one JSON value')
    .option('--no-times', 'do not compare times')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', DETAILS);
  if (parseArguments(command, argv) === 'done') {
    return 0;
  }
  const [left, right] = command.args;
  if (left === undefined || right === undefined) {
    throw usageError('Two images are needed', 'See: dibkit diff --help');
  }
  const options = command.opts<{ json?: true; times: boolean }>();
  const differences = await untilSignalled(async (context) => {
    await using scope = new Scope();
    const reaper = scope.use(new Reaper({ env: context.toolEnvironment, privilege: 'root' }));
    const host = {
      context,
      workDir: () => makeWorkDir({ parent: tmpdir(), prefix: 'dib_diff.' }, reaper),
    };
    // One after the other: two of them would only wait for the same disk.
    const before = await readContents(left, host);
    return compareTrees(before, await readContents(right, host), {
      ignore: options.times ? [] : ['time'],
    });
  });
  const text =
    options.json === true
      ? `${JSON.stringify(differences, null, 2)}\n`
      : renderDifferences(differences, [left, right])
          .map((line) => `${line}\n`)
          .join('');
  process.stdout.write(text);
  return differences.length === 0 ? 0 : 1;
}
