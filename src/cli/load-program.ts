/**
 * Loads the files that `scripts/bundle-program.mjs` makes, with the code that it has compiled beside it.
 *
 * Half the time of a short command is finding, reading and compiling modules: 390 of them for
 * `disk-image-create --explain`. One file with its code cache takes a quarter of that (measured, Node
 * 20.20). A cache that another version of Node has made is refused by V8, and the source compiled.
 */
import { readFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import path from 'node:path';
import { Script } from 'node:vm';

/** Source: Module.wrap; the variables that a CommonJS module has. */
type Wrapper = (...variables: readonly unknown[]) => void;

/** What the bundle exports. Its source is ASCII but for comments, and Latin-1 is read fastest. */
export function loadBundle(file: string): unknown {
  const cachedData = readIfThere(cacheOf(file));
  const script = new Script(Module.wrap(readFileSync(file, 'latin1')), {
    filename: file,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} };
  const wrapper = script.runInThisContext() as Wrapper;
  wrapper(module.exports, createRequire(file), module, file, path.dirname(file));
  return module.exports;
}

/** Where the compiled code of a bundle is. */
export function cacheOf(file: string): string {
  return file.replace(/\.cjs$/, '.cache');
}

/**
 * Verbs with a bundle of their own, which has nothing of the other verbs: a third of the whole. Theirs are
 * `src/cli/COMMAND-VERB.ts`.
 */
export const VERBS_ALONE: readonly string[] = ['dibkit-extract', 'dibkit-fetch'];

/** Starts a command; it takes its arguments from `process.argv`. */
export function run(command: string): void {
  const verb = `${command}-${process.argv[2] ?? ''}`;
  const name = VERBS_ALONE.includes(verb) ? verb : command;
  loadBundle(path.join(import.meta.dirname, `${name}.cjs`));
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    // Without it everything runs, a little later.
    return undefined;
  }
}
