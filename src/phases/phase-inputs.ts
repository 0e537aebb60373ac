/** All that a phase could depend on, gathered from the elements, the environment and `fingerprint.d`. */
import {
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import type { HookTree, TreeFile } from '../elements/hook-tree.ts';
import type { ResolvedElement } from '../elements/resolve.ts';
import { digestOf } from '../layers/digest.ts';
import { goesInto, readsElements } from '../layers/element-files.ts';
import { fileDigest, type PhaseInputs } from '../layers/match.ts';
import { FINGERPRINT_FOLDER } from './fingerprints.ts';
import { directoryState, fileState, statsOf } from './input-digests.ts';
import { PHASES } from './table.ts';

/** What is the same for every phase of a build. */
export interface BuildInputs {
  readonly files: PhaseInputs['files'];
  readonly folders: PhaseInputs['folders'];
  readonly elementFiles: PhaseInputs['elementFiles'];
  /** The same as they are by now: hooks read them where their authors edit them. */
  readonly elementFilesNow: () => PhaseInputs['elementFiles'];
  /** Paths in the hook tree, directories included. */
  readonly names: readonly string[];
  readonly sourceOf: (path: string) => string | undefined;
  /** Whether a text of the hook tree that hooks of this phase may read has this word. */
  readonly mentions: (word: string, phase: string) => boolean;
}

/** What is longer is no hook. */
const LONGEST_TEXT_BYTES = 1 << 18;

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
  const texts: { readonly folder: string; readonly content: Buffer }[] = [];
  const files = new Map(
    tree.files.map((file) => {
      const { digest, content } = digestFile(sources.get(file.path) ?? '', file, root);
      if (content.length <= LONGEST_TEXT_BYTES) {
        texts.push({ folder: firstFolder(file.path), content });
      }
      return [file.path, digest];
    }),
  );
  const going = texts
    .filter(({ content }) => readsElements((word) => content.includes(word)))
    .map(({ content }) => content.toString());
  const names = [...tree.directories, ...tree.files].map((each) => each.path).sort();
  const elementFilesNow = (): PhaseInputs['elementFiles'] => readElementFiles(elements, going);
  return {
    files,
    folders: foldersOf(tree.directories, names),
    elementFiles: elementFilesNow(),
    elementFilesNow,
    names,
    sourceOf: (name) => sources.get(name),
    mentions: (word, phase) => {
      const hidden = foldersOfOthers(phase);
      return texts.some(({ folder, content }) => !hidden.has(folder) && content.includes(word));
    },
  };
}

/** Names that hooks of a phase can see: what is not in another phase's folder, without its own hooks. */
export function visibleNames(
  names: readonly string[],
  phase: string,
  hooks: readonly string[],
): readonly string[] {
  const hidden = foldersOfOthers(phase);
  const own = new Set(hooks.map((hook) => `${phase}.d/${hook}`));
  return names.filter((name) => !hidden.has(firstFolder(name)) && !own.has(name));
}

/** Folders whose hooks a phase does not run. */
function foldersOfOthers(phase: string): ReadonlySet<string> {
  return new Set([
    FINGERPRINT_FOLDER,
    ...PHASES.filter(({ name }) => name !== phase).map(({ name }) => `${name}.d`),
  ]);
}

function firstFolder(name: string): string {
  return name.split('/', 1)[0] ?? '';
}

/**
 * A link counts with where it leads, and with what is there. Of a directory in the hook tree itself it is
 * known what was read.
 */
function digestFile(
  source: string,
  file: TreeFile,
  root: string | undefined,
): { readonly digest: string; readonly content: Buffer } {
  const found = statSync(source, { throwIfNoEntry: false });
  const isFile = found?.isFile() === true;
  const content = isFile ? readFileSync(source) : Buffer.alloc(0);
  const isOutside = (): boolean =>
    root === undefined || !realpathSync(source).startsWith(`${realpathSync(root)}/`);
  const digest = isFile
    ? fileDigest(content, found.mode)
    : found?.isDirectory() === true && isOutside()
      ? directoryState(source, () => false)
      : 'none';
  return { digest: file.isLink ? `link:${readlinkSync(source)}:${digest}` : digest, content };
}

/** Mode and names of each directory, of empty ones too: whoever lists one may copy it. */
function foldersOf(
  directories: HookTree['directories'],
  names: readonly string[],
): ReadonlyMap<string, string> {
  const inside = new Map(directories.map(({ path, mode }) => [path, [mode.toString(8)]]));
  for (const name of names) {
    const folder = path.posix.dirname(name);
    inside.set(folder, [...(inside.get(folder) ?? []), name]);
  }
  return new Map([...inside].map(([folder, list]) => [folder, digestOf(list)]));
}

/** Files that say how an element is put together, not what it puts into the image. */
const ABOUT_THE_ELEMENT = /^(?:README|element-deps$|element-provides$|host-tools\.yaml$|\.)/;

/** Hooks of phases and the like: what is read of those is read in the hook tree. */
const HOOK_FOLDERS: ReadonlySet<string> = new Set([
  FINGERPRINT_FOLDER,
  'environment.d',
  ...PHASES.map(({ name }) => `${name}.d`),
]);

/**
 * Files directly in elements' folders, where hooks of other elements look for them, and those in folders
 * that one of these texts goes into.
 */
function readElementFiles(
  elements: readonly ResolvedElement[],
  texts: readonly string[],
): Readonly<Record<string, string>> {
  const isEntered = (folder: string): boolean =>
    !HOOK_FOLDERS.has(folder) && texts.some((text) => goesInto(text, folder));
  return Object.fromEntries(
    elements.flatMap((element) =>
      readdirSync(element.path)
        .sort()
        .filter((name) => !ABOUT_THE_ELEMENT.test(name))
        .flatMap((name) => filesOf(element.path, name, isEntered))
        .map(([name, state]) => [`${element.name}/${name}`, state]),
    ),
  );
}

/** `name` where it is a file, else the files below it, with their states. */
function filesOf(
  directory: string,
  name: string,
  isEntered: (folder: string) => boolean,
): readonly (readonly [string, string])[] {
  const file = path.join(directory, name);
  const found = statsOf(file);
  if (found?.isFile() === true) {
    return [[name, fileState(file, found)]];
  }
  // A link may lead back to where it is.
  return found?.isDirectory() === true && isEntered(name) && !lstatSync(file).isSymbolicLink()
    ? readdirSync(file)
        .sort()
        .flatMap((each) => filesOf(directory, `${name}/${each}`, () => true))
    : [];
}
