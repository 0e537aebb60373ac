/** What the plan of a build needs to know of the host and of our own installation. */
import { isUtf8 } from 'node:buffer';
import { existsSync, readFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import type { HostFacts } from '../plan/plan-build.ts';
import { builtinElements, implicitElement, packageRoot, packageVersion } from './package-paths.ts';

/** Debian's names for what Node calls an architecture. Source: dpkg-architecture(1). */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: 'i386',
  arm: 'armhf',
  ppc64: 'ppc64el',
};

export function hostFacts(): HostFacts {
  return {
    version: packageVersion(),
    arch: ARCHITECTURES[process.arch] ?? process.arch,
    cwd: process.cwd(),
    home: homedir(),
    builtinElements,
    implicitElement,
    shellLibrary: `${implicitElement}/lib`,
    node: process.execPath,
    packageRoot,
  };
}

/** Where short-lived files go: called by a hook, into the build's directory, which goes with the build. */
export function temporaryParent(): string {
  const buildDir = process.env.TMP_BUILD_DIR;
  return buildDir !== undefined && existsSync(buildDir) ? buildDir : tmpdir();
}

/** Our environment without the holes that its type has. */
export function ownEnvironment(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}

/** The variables that are not UTF-8: what hooks see of those is not what was set. */
export function mangledVariables(): readonly string[] {
  if (!Object.values(process.env).some((value) => value?.includes('\ufffd'))) {
    return [];
  }
  const rows = readFileSync('/proc/self/environ').toString('latin1').split('\0');
  return rows
    .filter((row) => !isUtf8(Buffer.from(row, 'latin1')))
    .map((row) => row.split('=', 1)[0] ?? '');
}

/** The environment of our own tools: a table, whatever the user exported. */
export function toolEnvironment(searchPath: string): Readonly<Record<string, string>> {
  const kept = ['HOME', 'SSL_CERT_FILE', 'TERM', 'TMPDIR', 'TZ'];
  const own = ownEnvironment();
  return {
    ...Object.fromEntries(
      kept.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]])),
    ),
    LC_ALL: 'C',
    PATH: searchPath,
  };
}
