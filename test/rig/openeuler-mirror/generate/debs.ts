/** The Debian packages that the stand-in is made of, from where this host gets its own. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DEB_ROOTS, DEBS_LEFT_OUT } from './packages.ts';
import type { Workshop } from './workshop.ts';

export interface Deb {
  readonly file: string;
  readonly name: string;
  /** Without epoch and revision. */
  readonly version: string;
  readonly provides: readonly string[];
  /** What it needs: of each entry, one alternative is enough. */
  readonly depends: readonly (readonly string[])[];
}

/** Downloads what is needed. */
export async function fetchDebs(workshop: Workshop): Promise<Deb[]> {
  const dir = path.join(workshop.dir, 'debs');
  await mkdir(dir);
  const names = (await chooseDebs(workshop)).filter((name) => !DEBS_LEFT_OUT.test(baseName(name)));
  await workshop.run({ cwd: dir })`apt-get -q download ${names}`;
  const files = (await readdir(dir)).sort().map((name) => path.join(dir, name));
  const fields = ['Package', 'Version', 'Provides', 'Pre-Depends', 'Depends'];
  const controls =
    await workshop.run`for file in ${files}; do dpkg-deb --field "$file" ${fields}; printf '\\0'; done`;
  return controls.stdout
    .split('\0')
    .slice(0, -1)
    .map((control, index) => readDeb(files[index] ?? '', control));
}

function baseName(nameAndVersion: string): string {
  return nameAndVersion.replace(/=.*/, '');
}

/** `NAME=VERSION` of the roots and all they depend on, as if nothing were installed. */
async function chooseDebs(workshop: Workshop): Promise<string[]> {
  const status = path.join(workshop.dir, 'nothing-installed');
  await writeFile(status, '');
  const options = ['-o', `Dir::State::status=${status}`, '-o', 'Debug::NoLocking=1'];
  const choose = () =>
    workshop.run`apt-get ${options} --no-install-recommends --simulate install ${DEB_ROOTS}`;
  let answer = await choose().nothrow();
  if (answer.exitCode !== 0) {
    // A fresh machine has no lists yet.
    await workshop.run`apt-get -q update`;
    answer = await choose();
  }
  return [...answer.stdout.matchAll(/^Inst (\S+) \((\S+) /gm)].map(
    ([, name, version]) => `${name}=${version}`,
  );
}

/** Reads a control file. Source: deb-control(5). */
export function readDeb(file: string, control: string): Deb {
  const fields = new Map(
    control
      .replaceAll(/\n[ \t]+/g, ' ')
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const list = (name: string): string[] =>
    (fields.get(name) ?? '')
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '');
  return {
    file,
    name: fields.get('Package') ?? '',
    version: (fields.get('Version') ?? '').replace(/^\d+:/, '').replace(/-[^-]*$/, ''),
    provides: list('Provides').map(bareName),
    depends: [...list('Pre-Depends'), ...list('Depends')].map((entry) =>
      entry.split('|').map((word) => bareName(word.trim())),
    ),
  };
}

/** Less version and architecture. */
function bareName(word: string): string {
  return word.replace(/[ (:].*/, '');
}
