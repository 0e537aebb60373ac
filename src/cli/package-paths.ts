/** Where our own files are. This file is one folder below `src/` or `lib/`, so the root is two up. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The package's directory, without a slash at its end. */
export const packageRoot: string = fileURLToPath(new URL('../..', import.meta.url)).replace(
  /\/$/,
  '',
);

/** The built-in elements: the last entry of every `ELEMENTS_PATH`. */
export const builtinElements: string = `${packageRoot}/elements`;

/** The element that every build gets without naming it. */
export const implicitElement: string = `${packageRoot}/hooks`;

/** The package's version. Reads a file: call it when it is needed. */
export function packageVersion(): string {
  const text = readFileSync(`${packageRoot}/package.json`, 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
