/** All that a phase could depend on, gathered from the elements, the environment and `fingerprint.d`. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import path from 'node:path';
import type { HookTree, TreeFile } from '../elements/hook-tree.ts';
import type { ResolvedElement } from '../elements/resolve.ts';
import { digestOf, sha256 } from '../layers/digest.ts';
import { fileDigest, type PhaseInputs } from '../layers/match.ts';
import { FINGERPRINT_FOLDER } from './fingerprints.ts';
import { PHASES } from './table.ts';

/** What is the same for every phase of a build. */
export interface BuildInputs {
  readonly files: PhaseInputs['files'];
  readonly folders: PhaseInputs['folders'];
  readonly elementFiles: PhaseInputs['elementFiles'];
  /** Paths in the hook tree, directories included. */
  readonly names: readonly string[];
  readonly sourceOf: (path: string) => string | undefined;
}

/**
 * Reads every file of the elements once. `root` is where the hook tree has been assembled, if it has
 * been: what runs is then what is read, whatever becomes of the elements meanwhile.
 */
export function readBuildInputs(
  tree: HookTree,
  elements: readonly ResolvedElement[],
  root?: string,
): BuildInputs {
  const sources = new Map(
    tree.files.map((file) => [
      file.path,
      root === undefined ? file.source : path.join(root, file.path),
    ]),
  );
  const files = new Map(
    tree.files.map((file) => [file.path, digestFile(sources.get(file.path) ?? '', file)]),
  );
  const names = [...tree.directories, ...tree.files].map((each) => each.path).sort();
  return {
    files,
    folders: foldersOf(names),
    elementFiles: readElementFiles(elements),
    names,
    sourceOf: (name) => sources.get(name),
  };
}

/** Variables that name programs: those are tools of this host, and no input. */
const PROGRAMS: ReadonlySet<string> = new Set(['BROWSER', 'EDITOR', 'PAGER', 'SHELL', 'VISUAL']);

/** Above this a file counts by its size and time: reading it would take longer than it is worth. */
const MOST_READ_BYTES = 16 << 20;

/**
 * The environment of a phase on the host, in which a variable that names a file has what the file holds
 * behind its value: hooks take such files along, and whoever edits one expects the new one in the image.
 */
export function withFileContents(
  environment: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      path.isAbsolute(value) && !PROGRAMS.has(name) ? `${value}${contentOf(value)}` : value,
    ]),
  );
}

/** Digests of files, by what tells one state of a file from another: every phase asks for the same ones. */
const digests = new Map<string, string>();

function contentOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found?.isFile() !== true) {
    return '';
  }
  const { dev, ino, size, mtimeMs, ctimeMs } = found;
  if (size > MOST_READ_BYTES) {
    return ` ${size} ${mtimeMs}`;
  }
  const state = [dev, ino, size, mtimeMs, ctimeMs].join(' ');
  try {
    const digest = digests.get(state) ?? sha256(readFileSync(file));
    digests.set(state, digest);
    return ` ${digest}`;
  } catch {
    // Whoever may not read it cannot depend on it either.
    return '';
  }
}

/** Names that hooks of a phase can see: what is not in another phase's folder, without its own hooks. */
export function visibleNames(
  names: readonly string[],
  phase: string,
  hooks: readonly string[],
): readonly string[] {
  const hidden = new Set([
    FINGERPRINT_FOLDER,
    ...PHASES.filter(({ name }) => name !== phase).map(({ name }) => `${name}.d`),
  ]);
  const own = new Set(hooks.map((hook) => `${phase}.d/${hook}`));
  return names.filter((name) => !hidden.has(name.split('/', 1)[0] ?? '') && !own.has(name));
}

/** A link counts with where it leads, and with what is there. */
function digestFile(source: string, file: TreeFile): string {
  const found = statSync(source, { throwIfNoEntry: false });
  const content = found?.isFile() === true ? fileDigest(readFileSync(source), found.mode) : 'none';
  return file.isLink ? `link:${readlinkSync(source)}:${content}` : content;
}

function foldersOf(names: readonly string[]): ReadonlyMap<string, string> {
  const inside = new Map<string, string[]>();
  for (const name of names) {
    const folder = path.posix.dirname(name);
    inside.set(folder, [...(inside.get(folder) ?? []), name]);
  }
  return new Map([...inside].map(([folder, list]) => [folder, digestOf(list)]));
}

/** Files that say how an element is put together, not what it puts into the image. */
const ABOUT_THE_ELEMENT = /^(?:README|element-deps$|element-provides$|host-tools\.yaml$|\.)/;

/** Files directly in elements' folders, where hooks of other elements look for them. */
function readElementFiles(elements: readonly ResolvedElement[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    elements.flatMap((element) =>
      readdirSync(element.path)
        .sort()
        .filter((name) => !ABOUT_THE_ELEMENT.test(name))
        .flatMap((name) => {
          const file = path.join(element.path, name);
          const found = statSync(file, { throwIfNoEntry: false });
          return found?.isFile() === true
            ? [[`${element.name}/${name}`, fileDigest(readFileSync(file), found.mode)]]
            : [];
        }),
    ),
  );
}
