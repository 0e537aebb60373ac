/** Finds the primary metadata in a `repomd.xml`. Source: migration facts, 3.1. */
import { type XmlHandler, XmlScanner } from './xml-scan.ts';

/** The file with the packages, as `repomd.xml` vouches for it. */
export interface PrimaryFile {
  readonly url: string;
  /** As crypto.createHash knows it. */
  readonly algorithm: string;
  /** Lower-case hexadecimal. */
  readonly digest: string;
  /** Bytes, when it is said. */
  readonly size: number | undefined;
  readonly openSize: number | undefined;
}

/** What metadata calls its checksums. MD5 vouches for nothing. */
const ALGORITHMS: Readonly<Record<string, readonly [name: string, digits: number]>> = {
  sha: ['sha1', 40],
  sha1: ['sha1', 40],
  sha224: ['sha224', 56],
  sha256: ['sha256', 64],
  sha384: ['sha384', 96],
  sha512: ['sha512', 128],
};

/** The repository's URL: what is before `repodata/repomd.xml`, without the last slash. */
export function repositoryRoot(repomdUrl: string): string {
  return repomdUrl.replace(/\/(?:repodata\/)?repomd\.xml$/, '');
}

/** @throws Error in words that follow "repomd.xml cannot be used: ". */
export function parseRepomd(content: Buffer, repomdUrl: string): PrimaryFile {
  const reader = new RepomdReader();
  const scanner = new XmlScanner(reader);
  scanner.write(content);
  scanner.end();
  const { primary } = reader;
  if (primary === undefined) {
    throw new Error('It lists no primary metadata');
  }
  const [algorithm, digits] = ALGORITHMS[primary.get('checksum type') ?? ''] ?? [];
  const digest = (primary.get('checksum') ?? '').toLowerCase();
  if (algorithm === undefined || digest.length !== digits || !/^[0-9a-f]+$/.test(digest)) {
    throw new Error(`Its checksum of the primary metadata is not one that we check`);
  }
  return {
    url: primaryUrl(primary, repomdUrl),
    algorithm,
    digest,
    size: wholeNumber(primary.get('size')),
    openSize: wholeNumber(primary.get('open-size')),
  };
}

function primaryUrl(primary: ReadonlyMap<string, string>, repomdUrl: string): string {
  const href = primary.get('href') ?? '';
  const base = primary.get('base') ?? repositoryRoot(repomdUrl);
  try {
    const url = new URL(href, `${base.replace(/\/+$/, '')}/`);
    if (href !== '' && /^https?:$/.test(url.protocol)) {
      return url.href;
    }
  } catch {
    // As good as none.
  }
  throw new Error(`Its address of the primary metadata is no URL: ${JSON.stringify(href)}`);
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

const TEXTS = ['checksum', 'size', 'open-size'];

class RepomdReader implements XmlHandler {
  primary: Map<string, string> | undefined;
  #data: Map<string, string> | undefined;

  open(name: string, depth: number, scanner: XmlScanner): void {
    if (depth === 1 && name !== 'repomd') {
      throw new Error(`It is <${name}>, not a repomd.xml`);
    }
    if (depth === 2) {
      this.#data =
        name === 'data' && scanner.attribute('type') === 'primary' ? new Map() : undefined;
      this.primary ??= this.#data;
    }
    if (depth === 3 && this.#data !== undefined) {
      this.#openField(this.#data, name, scanner);
    }
  }

  close(name: string, depth: number, scanner: XmlScanner): void {
    if (depth === 3 && this.#data !== undefined && TEXTS.includes(name)) {
      this.#data.set(name, scanner.text().trim());
    }
  }

  #openField(data: Map<string, string>, name: string, scanner: XmlScanner): void {
    const keep = (key: string, value: string | undefined): void => {
      if (value !== undefined) {
        data.set(key, value);
      }
    };
    if (TEXTS.includes(name)) {
      scanner.collectText();
    }
    if (name === 'checksum') {
      keep('checksum type', scanner.attribute('type')?.toLowerCase());
    }
    if (name === 'location') {
      keep('href', scanner.attribute('href'));
      keep('base', scanner.attribute('xml:base'));
    }
  }
}
