/**
 * Which files of `environment.d` are sourced before the hooks of a phase, and in which order.
 *
 * Regular files or links to such, executable or not, whose name consists of letters, digits, `_`,
 * `.`, `-` and backslashes. The order is by bytes, so `100-h` comes before `20-t`: upstream sorts
 * whole paths by number, and a path that starts with `/` has none. Source: lib/dib-run-parts,
 * source_environment.
 */
import { compareBytes, type DirEntry } from './select.ts';

/** The folder, beside those of the phases. */
export const ENVIRONMENT_DIR = 'environment.d';

const NAME = /^[0-9A-Za-z_\\.-]+$/;

/** The names to source, in order. */
export function selectEnvironmentFiles(entries: readonly DirEntry[]): readonly string[] {
  return entries
    .filter((entry) => entry.isFile && NAME.test(entry.name))
    .map((entry) => entry.name)
    .sort(compareBytes);
}
