/**
 * Which files of a hook directory run, and in which order.
 *
 * - A hook is a regular file, or a link to one, that the caller may execute and whose name matches
 *   an extended regular expression: by default letters, digits, `_` and `-`, so `10-foo.sh` and
 *   `10-foo~` are no hooks. Source: lib/dib-run-parts, find_targets.
 * - The order is that of `sort -n` in the C locale: by the leading number (none is 0, so `foo` runs
 *   before `01-x`, and `-5-x` before both), then by the bytes of the whole name.
 *   Source: lib/dib-run-parts; GNU sort(1) -n and its last-resort comparison.
 */
import { extendedRegex } from './extended-regex.ts';

/** What a directory says about one of its entries, links followed. */
export interface DirEntry {
  readonly name: string;
  readonly isFile: boolean;
  readonly executable: boolean;
}

export interface IgnoredFile {
  readonly name: string;
  readonly reason: 'not-executable' | 'name';
}

export interface HookSelection {
  /** In run order. */
  readonly run: readonly string[];
  /** Regular files that are no hooks, in byte order. */
  readonly ignored: readonly IgnoredFile[];
}

/** What hook names match unless `RUN_PARTS_REGEX` says otherwise. Source: lib/dib-run-parts. */
export const DEFAULT_PATTERN = '^[0-9A-Za-z_-]+$';

/**
 * The hooks among `entries`, in run order, and the files that were passed over.
 *
 * An empty `pattern` means the default. Source: lib/dib-run-parts, `${RUN_PARTS_REGEX:-…}`.
 *
 * @throws Failed `config`: `pattern` is not an extended regular expression
 */
export function selectHooks(entries: readonly DirEntry[], pattern?: string): HookSelection {
  const wanted = extendedRegex(pattern || DEFAULT_PATTERN);
  const run: string[] = [];
  const ignored: IgnoredFile[] = [];
  for (const { name, executable } of entries.filter((entry) => entry.isFile)) {
    if (!executable) {
      ignored.push({ name, reason: 'not-executable' });
    } else if (wanted.test(name)) {
      run.push(name);
    } else {
      ignored.push({ name, reason: 'name' });
    }
  }
  return {
    run: run.sort(compareHooks),
    ignored: ignored.sort((a, b) => compareBytes(a.name, b.name)),
  };
}

/** Orders two names as `LC_ALL=C sort -n` orders lines. */
export function compareHooks(a: string, b: string): number {
  return compareNumbers(leadingNumber(a), leadingNumber(b)) || compareBytes(a, b);
}

/** Orders two names by their bytes in UTF-8, as the C locale does. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A decimal number as text, since names can hold more digits than a `number` can. */
interface Decimal {
  readonly sign: -1 | 0 | 1;
  /** Without leading zeros. */
  readonly whole: string;
  /** Without trailing zeros. */
  readonly fraction: string;
}

function leadingNumber(name: string): Decimal {
  const [, minus = '', digits = '', decimals = ''] =
    /^[ \t\n]*(-?)([0-9]*)(?:\.([0-9]*))?/.exec(name) ?? [];
  const whole = digits.replace(/^0+/, '');
  const fraction = decimals.replace(/0+$/, '');
  if (whole === '' && fraction === '') {
    return { sign: 0, whole, fraction };
  }
  return { sign: minus === '' ? 1 : -1, whole, fraction };
}

function compareNumbers(a: Decimal, b: Decimal): number {
  if (a.sign !== b.sign) {
    return a.sign - b.sign;
  }
  const magnitude =
    a.whole.length - b.whole.length ||
    compareBytes(a.whole, b.whole) ||
    compareBytes(a.fraction, b.fraction);
  return a.sign < 0 ? -magnitude : magnitude;
}
