/** Files in the phases' directories that would not run, found before anything runs. */
import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import type { HookTree, TreeFile } from './hook-tree.ts';
import { type Problem, problemsError } from './problems.ts';

/** A file that is in a phase's directory and is not run. */
export interface IgnoredHook {
  readonly dir: string;
  readonly name: string;
  readonly element: string;
  /** Its path in the element. */
  readonly source: string;
  readonly reason: 'name' | 'not-executable';
}

export interface HookRules {
  /** The directories of hooks, for example `install.d`. */
  readonly directories: readonly string[];
  /** Let a script that is not executable pass in silence, as upstream does. */
  readonly ignoreNonExecutable: boolean;
}

/** Source: lib/dib-run-parts. */
const HOOK_NAME = /^[0-9A-Za-z_-]+$/;

/**
 * The files that run-parts will ignore, sorted by path.
 *
 * @throws Failed `config` that names every script (`#!`) with a hook's name that is not executable.
 */
export async function findHookProblems(
  tree: HookTree,
  rules: HookRules,
): Promise<readonly IgnoredHook[]> {
  const found = tree.files.filter((file) => rules.directories.includes(dirOf(file))).map(inspect);
  const suspects = found.filter((hook) => hook !== undefined);
  const problems = rules.ignoreNonExecutable
    ? []
    : suspects.filter(({ isForgotten }) => isForgotten).map(({ ignored }) => problem(ignored));
  if (problems.length > 0) {
    throw problemsError('Cannot run all hooks', problems);
  }
  return suspects.map(({ ignored }) => ignored);
}

interface Suspect {
  readonly ignored: IgnoredHook;
  /** Somebody wanted it to run. */
  readonly isForgotten: boolean;
}

function inspect(file: TreeFile): Suspect | undefined {
  const dir = dirOf(file);
  const name = file.path.slice(dir.length + 1);
  const ignored = { dir, name, element: file.element, source: file.source };
  const target = targetOf(file);
  if (target === undefined) {
    return undefined;
  }
  if (!HOOK_NAME.test(name)) {
    return { ignored: { ...ignored, reason: 'name' }, isForgotten: false };
  }
  if ((target.mode & 0o111) !== 0) {
    return undefined;
  }
  const isForgotten = isScript(file.source);
  return { ignored: { ...ignored, reason: 'not-executable' }, isForgotten };
}

/** Undefined for a link that leads nowhere or to a directory: that is no hook to anybody. */
function targetOf(file: TreeFile): Stats | undefined {
  try {
    const target = statSync(file.source);
    return target.isFile() ? target : undefined;
  } catch {
    return undefined;
  }
}

function isScript(source: string): boolean {
  const file = openSync(source, 'r');
  try {
    const start = Buffer.alloc(2);
    return start.toString('latin1', 0, readSync(file, start, 0, start.length, 0)) === '#!';
  } finally {
    closeSync(file);
  }
}

function problem({ dir, name, element, source }: IgnoredHook): Problem {
  return {
    message: `Cannot run the hook '${dir}/${name}' of the element '${element}': it is not executable`,
    hint: `Run: chmod +x '${source}' (or set DIB_IGNORE_NON_EXECUTABLE_HOOKS=1 to leave it out)`,
  };
}

/** `install.d` for `install.d/10-foo`; empty for a file directly in an element. */
function dirOf({ path }: TreeFile): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
