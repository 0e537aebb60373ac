/**
 * Lists the source packages of a `primary.xml` while it arrives.
 *
 * Source: migration facts, 3.2: the wanted values are direct children of `package`; elements of the same
 * names further down are something else.
 */
import { type ListedPackage, packageLine } from './package-list.ts';
import { type XmlHandler, XmlScanner } from './xml-scan.ts';

/** What is in one repository. */
export interface PrimaryList {
  /** The lines of the list, each with its newline. */
  readonly text: string;
  readonly packages: number;
  /** Packages that are not sources. */
  readonly binaries: number;
  /** Records that have no usable line: how many, and the first few in words. */
  readonly unusable: number;
  readonly examples: readonly string[];
}

const BATCH = 1000;
const EXAMPLES = 3;

type Field = 'name' | 'arch' | 'version' | 'href' | 'base';

export class PrimaryReader implements XmlHandler {
  readonly #root: string;
  readonly #scanner: XmlScanner;
  readonly #lists: string[] = [];
  #batch: string[] = [];
  #fields: Partial<Record<Field, string>> = {};
  #inPackage = false;
  #expected: number | undefined;
  #seen = 0;
  #packages = 0;
  #binaries = 0;
  #unusable = 0;
  readonly #examples: string[] = [];

  /** `root`: the repository's URL, to which addresses are relative. */
  constructor(root: string) {
    this.#root = root;
    this.#scanner = new XmlScanner(this);
  }

  /** @throws XmlError */
  write(chunk: Buffer): void {
    this.#scanner.write(chunk);
  }

  /** @throws Error when the document is not complete. */
  end(): PrimaryList {
    this.#scanner.end();
    if (this.#expected !== undefined && this.#expected !== this.#seen) {
      throw new Error(`It says that it has ${this.#expected} packages, and has ${this.#seen}`);
    }
    this.#flush();
    return {
      text: this.#lists.join(''),
      packages: this.#packages,
      binaries: this.#binaries,
      unusable: this.#unusable,
      examples: this.#examples,
    };
  }

  open(name: string, depth: number, scanner: XmlScanner): void {
    if (depth === 3) {
      if (this.#inPackage) {
        this.#openField(name, scanner);
      }
    } else if (depth === 2) {
      this.#inPackage = name === 'package';
      this.#fields = {};
    } else if (depth === 1) {
      this.#openRoot(name, scanner);
    }
  }

  close(name: string, depth: number, scanner: XmlScanner): void {
    if (depth === 3) {
      if (this.#inPackage && (name === 'name' || name === 'arch')) {
        this.#fields[name] ??= scanner.text().trim();
      }
    } else if (depth === 2 && this.#inPackage) {
      this.#inPackage = false;
      this.#seen += 1;
      this.#add();
    }
  }

  #openRoot(name: string, scanner: XmlScanner): void {
    if (name !== 'metadata') {
      throw new Error(`It is <${name}>, not the metadata of packages`);
    }
    const packages = scanner.attribute('packages');
    if (packages !== undefined && /^\d+$/.test(packages)) {
      this.#expected = Number(packages);
    }
  }

  #openField(name: string, scanner: XmlScanner): void {
    if (name === 'name' || name === 'arch') {
      scanner.collectText();
    } else if (name === 'version') {
      this.#keep('version', scanner.attribute('ver'));
    } else if (name === 'location') {
      this.#keep('href', scanner.attribute('href'));
      this.#keep('base', scanner.attribute('xml:base'));
    }
  }

  #keep(field: Field, value: string | undefined): void {
    if (value !== undefined) {
      this.#fields[field] ??= value;
    }
  }

  #add(): void {
    const { name, arch, version, href, base } = this.#fields;
    if (name === undefined || arch === undefined || version === undefined || href === undefined) {
      this.#refuse(`a package without its ${missing(this.#fields)}`);
    } else if (arch !== 'src' && arch !== 'nosrc') {
      this.#binaries += 1;
    } else {
      this.#addSource({ name, version, href, base });
    }
  }

  #addSource(listed: ListedPackage): void {
    const made = packageLine(listed, this.#root);
    if ('unusable' in made) {
      this.#refuse(made.unusable);
      return;
    }
    this.#packages += 1;
    this.#batch.push(made.line, '\n');
    if (this.#batch.length >= BATCH) {
      this.#flush();
    }
  }

  #refuse(why: string): void {
    this.#unusable += 1;
    if (this.#examples.length < EXAMPLES) {
      this.#examples.push(why.slice(0, 200));
    }
  }

  /** A flat copy: lines are made of slices, each of which would keep its whole chunk in memory. */
  #flush(): void {
    this.#lists.push(Buffer.from(this.#batch.join(''), 'latin1').toString('latin1'));
    this.#batch = [];
  }
}

function missing(fields: Partial<Record<Field, string>>): string {
  const names = { name: 'name', arch: 'arch', version: 'version', href: 'location' } as const;
  return Object.entries(names)
    .filter(([field]) => fields[field as Field] === undefined)
    .map(([, name]) => name)
    .join(', ');
}
