/**
 * Which words of a variable's value are paths of this host, whose content a hook takes along. Pure: the
 * file system is asked through `kindOf`.
 */
import { classOf } from './variables.ts';

export interface NamedPath {
  /** As it is written, less `file://`. */
  readonly path: string;
  readonly kind: 'file' | 'directory';
}

export type KindOf = (path: string) => NamedPath['kind'] | undefined;

/**
 * Variables that say where programs look, keep what they like or write their logs: what lies there is no
 * input of a hook. Or they are words that only happen to be names of files.
 */
const PLACES: ReadonlySet<string> = new Set([
  'ARCH',
  'BROWSER',
  'CDPATH',
  'CLASSPATH',
  'DIB_RELEASE',
  'DISTRO_NAME',
  'EDITOR',
  'GOPATH',
  'HISTFILE',
  'INFOPATH',
  'INIT_CWD',
  'LD_LIBRARY_PATH',
  'MANPATH',
  'NODE_PATH',
  'OLDPWD',
  'PAGER',
  'PATH',
  'PERL5LIB',
  'PWD',
  'PYTHONPATH',
  'SHELL',
  'VISUAL',
]);

/** Of sessions and of what starts a build, of homes and caches, and of logs. */
const PLACE_PATTERNS = [
  /^(?:DBUS|SSH|XDG|npm)_/,
  /CACHE/,
  /(?:^|_)(?:HOME|TMP|TEMP|TMPDIR|TEMPDIR)$/,
  /(?:^|_)LOG(?:S|_?FILE|_?DIR|_?PATH)?$/,
] as const;

/** Longer ones are texts. */
const LONGEST_VALUE = 4096;

/** What this variable names, in the order of its value. */
export function pathsIn(name: string, value: string, kindOf: KindOf): readonly NamedPath[] {
  const kind = classOf(name);
  if (kind === 'never' || isPlace(name) || value.length > LONGEST_VALUE) {
    return [];
  }
  const look = (word: string): readonly NamedPath[] => found(word, kindOf);
  // Those that describe a command line are full of names, and a text of several lines of words.
  const isText = kind === 'named' || value.includes('\n');
  const whole = isText && !value.includes('/') ? [] : look(value);
  if (whole.length > 0) {
    return whole;
  }
  const words = value.split(/\s+/);
  return words
    .flatMap((word) => {
      const one = words.length > 1 ? look(word) : [];
      return one.length > 0 || isUrl(word) || !word.includes(':')
        ? one
        : word.split(':').flatMap(look);
    })
    .filter(({ path, kind: is }) => path.includes('/') || (is === 'file' && !isText));
}

function isPlace(name: string): boolean {
  return PLACES.has(name) || PLACE_PATTERNS.some((pattern) => pattern.test(name));
}

function isUrl(word: string): boolean {
  return /^[a-z][-+.a-z\d]*:\/\//.test(word);
}

function found(word: string, kindOf: KindOf): readonly NamedPath[] {
  const path = word.replace(/^file:\/\//, '');
  // Numbers, options and other schemes are none, and are most of what there is.
  if (isUrl(path) || /^[-\d.]*$|^-/.test(path)) {
    return [];
  }
  const kind = kindOf(path);
  return kind === undefined ? [] : [{ path, kind }];
}
