/** The part of a command line that says what to build: what hooks are told of it, and images keep. Pure. */
import { expandAbbreviations, OPTIONS, type OptionKey } from './options.ts';

/**
 * Options that say how to go about it. With another name for the events, or `--resume`, the same image comes out: so
 * nothing that is kept of it may depend on them. All are ours; upstream's are told, as there.
 */
const HOW: ReadonlySet<OptionKey> = new Set<OptionKey>([
  'cacheFrom',
  'cacheMaxAge',
  'cacheSize',
  'events',
  'explain',
  'noCache',
  'resume',
]);

/** Long options by name; true: the next word is the value. */
const LONG: ReadonlyMap<string, { readonly told: boolean; readonly takesValue: boolean }> = new Map(
  OPTIONS.flatMap(({ key, long, value }) =>
    long === undefined ? [] : [[long, { told: !HOW.has(key), takesValue: value !== undefined }]],
  ),
);

/** `argv` without the options that say how, and their values. */
export function imageArguments(argv: readonly string[]): readonly string[] {
  const told: string[] = [];
  const words = expandAbbreviations(argv);
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === '--') {
      return [...told, ...argv.slice(index)];
    }
    const equals = word.indexOf('=');
    const option = LONG.get(equals === -1 ? word : word.slice(0, equals));
    const end = index + (option?.takesValue === true && equals === -1 ? 2 : 1);
    if (option?.told !== false) {
      told.push(...argv.slice(index, end));
    }
    index = end - 1;
  }
  return told;
}
