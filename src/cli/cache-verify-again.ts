/** `dibkit cache verify --again`: builds once from layers and once anew, and compares the trees. */
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { quoteWord } from '../events/failure-text.ts';
import { compareTrees, renderDifferences } from '../output/compare-trees.ts';
import { readContents } from '../output/read-contents.ts';
import { eachLine, start, statusOf } from '../sandbox/process.ts';
import { Reaper } from '../sandbox/reaper.ts';
import { Scope } from '../sandbox/scope.ts';
import { makeWorkDir } from '../sandbox/work-dir.ts';
import { untilSignalled } from './extract.ts';
import { ownEnvironment } from './host-facts.ts';
import { packageRoot } from './package-paths.ts';

/** An input failed verification. Source: docs/guide.md, exit codes. */
const DIFFERENT = 4;

/**
 * Whether a build that takes what it can from layers makes the same tree as one that takes nothing.
 * `build` are arguments of disk-image-create.
 */
export function verifyAgain(build: readonly string[]): Promise<number> {
  return untilSignalled(async (context) => {
    await using scope = new Scope();
    const reaper = scope.use(new Reaper({ env: context.toolEnvironment, privilege: 'root' }));
    const owner = { parent: tmpdir(), prefix: 'dib_verify.' };
    const dir = await makeWorkDir(owner, reaper);
    const tar = (name: string, ...options: readonly string[]): Promise<string | number> =>
      buildTree(path.join(dir, name), withOptions(build, options), context);
    process.stderr.write('Building from layers\n');
    const kept = await tar('kept');
    if (typeof kept === 'number') {
      return kept;
    }
    process.stderr.write('Building anew\n');
    const anew = await tar('anew', '--no-cache');
    if (typeof anew === 'number') {
      return anew;
    }
    const host = { context, workDir: () => makeWorkDir(owner, reaper) };
    const left = await readContents(kept, host);
    const differences = compareTrees(left, await readContents(anew, host), { ignore: ['time'] });
    for (const line of renderDifferences(differences, ['from layers', 'built anew'])) {
      process.stdout.write(`${line}\n`);
    }
    if (differences.length === 0) {
      process.stdout.write('What the layers have is what a new build makes\n');
      return 0;
    }
    process.stdout.write(
      'Some element depends on what it does not declare: see fingerprint.d in docs/elements.md\n',
    );
    return DIFFERENT;
  });
}

/** A command line with more options: the last one of a kind wins, and `--` ends them. */
function withOptions(build: readonly string[], options: readonly string[]): readonly string[] {
  const end = build.indexOf('--');
  const at = end === -1 ? build.length : end;
  return [...build.slice(0, at), ...options, ...build.slice(at)];
}

/** Without what would keep layers from being used, or stop the build. */
function buildEnvironment(): Readonly<Record<string, string>> {
  const left = ['DIB_NO_LAYERS', 'DIB_CACHE_FROM', 'break', 'break_cmd'];
  return Object.fromEntries(
    Object.entries(ownEnvironment()).filter(([name]) => !left.includes(name)),
  );
}

/** The archive; or the status of a build that failed, once it has been told why. */
async function buildTree(
  name: string,
  build: readonly string[],
  context: Context,
): Promise<string | number> {
  const program = [process.execPath, path.join(packageRoot, 'bin/disk-image-create')] as const;
  const running = start(
    {
      argv: [...program, ...withOptions(build, ['-t', 'tar', '-o', name])],
      env: buildEnvironment(),
    },
    context.signal,
  );
  const last: string[] = [];
  const [exit] = await Promise.all([
    running.exit,
    eachLine(running.all, (line) => {
      last.push(line);
      last.splice(0, last.length - 20);
    }),
  ]);
  context.signal.throwIfAborted();
  const status = statusOf(exit);
  if (status !== 0) {
    const command = ['disk-image-create', ...build].map(quoteWord).join(' ');
    process.stderr.write(`${last.join('\n')}\n\nThat was the end of: ${command}\n`);
    return status;
  }
  return `${name}.tar`;
}
