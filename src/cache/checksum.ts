/**
 * Reads what mirrors publish beside their files: SHA256SUMS, `X.sha256sum`, and the like.
 *
 * Known forms. Source: sha256sum(1), "--tag"; coreutils src/digest.c on escaped names:
 *
 *     DIGEST  NAME        text        DIGEST *NAME     binary
 *     SHA256 (NAME) = DIGEST          \DIGEST  NA\nME  a name with escapes (either form)
 *     DIGEST              alone, in a file about one file
 *
 * Lines with digests of other algorithms, comments and PGP armour are passed over.
 */

/** A SHA-256 as 64 lower-case hexadecimal digits. */
export type Sha256 = string & { readonly __brand: 'Sha256' };

/** What a checksum file says about one name. */
export type ChecksumLookup =
  | { readonly kind: 'found'; readonly sha256: Sha256 }
  | { readonly kind: 'missing'; readonly reason: string };

interface Entry {
  readonly sha256: Sha256;
  /** Undefined: the digest stood alone. */
  readonly name: string | undefined;
}

/** A digest in any case, with an optional `sha256:` before it; undefined for anything else. */
export function parseSha256(text: string): Sha256 | undefined {
  const digits = text
    .trim()
    .toLowerCase()
    .replace(/^sha256:/, '');
  return /^[0-9a-f]{64}$/.test(digits) ? (digits as Sha256) : undefined;
}

/**
 * The digest of the file called `name`. A line counts when its name's last part is exactly that: a
 * name that only ends the same way is another file.
 */
export function lookUpChecksum(text: string, name: string): ChecksumLookup {
  if (text.trim() === '') {
    return missing('it is empty');
  }
  if (/^\s*<(?:!doctype|html|\?xml|head|body)\b/i.test(text)) {
    return missing('it is a web page, not a list of checksums');
  }
  const entries = text.split(/\r?\n/).flatMap((line) => parseLine(line));
  if (entries.length === 0) {
    return missing('it has no SHA-256 checksums');
  }
  const alone = entries.length === 1 && entries[0]?.name === undefined ? entries : [];
  const exact = entries.filter((entry) => entry.name === name);
  const sameBase = entries.filter(
    (entry) => entry.name !== undefined && baseName(entry.name) === baseName(name),
  );
  const chosen = [exact, sameBase, alone].find((list) => list.length > 0) ?? [];
  const digests = [...new Set(chosen.map((entry) => entry.sha256))];
  const [sha256] = digests;
  if (sha256 === undefined) {
    return missing(`it has no line for '${name}' among its ${entries.length}`);
  }
  return digests.length === 1
    ? { kind: 'found', sha256 }
    : missing(`it has ${digests.length} different checksums for '${name}'`);
}

function missing(reason: string): ChecksumLookup {
  return { kind: 'missing', reason };
}

function parseLine(line: string): readonly Entry[] {
  const escaped = line.startsWith('\\');
  const rest = escaped ? line.slice(1) : line;
  const tagged = /^SHA256 \((.+)\) ?= ?([0-9a-fA-F]{64})\s*$/.exec(rest);
  const plain = /^([0-9a-fA-F]{64})(?: [ *]?(.+)|\s*)$/.exec(rest);
  const digest = tagged?.[2] ?? plain?.[1];
  const sha256 = digest === undefined ? undefined : parseSha256(digest);
  if (sha256 === undefined) {
    return [];
  }
  const name = (tagged?.[1] ?? plain?.[2])?.trimEnd();
  if (name === undefined || name === '') {
    return [{ sha256, name: undefined }];
  }
  // `sha256sum < file` calls its input `-`.
  return [{ sha256, name: name === '-' ? undefined : unescapeName(name, escaped) }];
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', '\\': '\\' };

function unescapeName(name: string, escaped: boolean): string {
  return escaped ? name.replaceAll(/\\([nr\\])/g, (_all, code) => ESCAPES[code] ?? code) : name;
}

function baseName(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
