/** What lies where variables say, for the phases on the host: hooks take such files and directories along. */
import path from 'node:path';
import type { PhaseInputs } from '../layers/match.ts';
import { type KindOf, type NamedPath, pathsIn } from '../layers/named-paths.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { directoryState, fileState, statsOf } from './input-digests.ts';

type Variables = Readonly<Record<string, string>>;

/** What each variable names, as it is written; those that name nothing are not among them. */
export function namedPaths(
  variables: Variables,
  cwd: string,
): ReadonlyMap<string, readonly NamedPath[]> {
  const kindOf: KindOf = (file) => {
    const found = statsOf(path.resolve(cwd, file));
    return found?.isFile() === true
      ? 'file'
      : found?.isDirectory() === true
        ? 'directory'
        : undefined;
  };
  return new Map(
    Object.entries(variables).flatMap(([name, value]) => {
      const found = pathsIn(name, value, kindOf);
      return found.length === 0 ? [] : [[name, found]];
    }),
  );
}

/**
 * The environment of a phase on the host, in which a variable has the digests of the files that it names
 * behind its value. Directories, which take longer and change more often, are looked at where an element's
 * file `mentions` the variable.
 */
export function readNamedInputs(
  variables: Variables,
  plan: BuildPlan,
  mentions: (word: string) => boolean,
): Pick<PhaseInputs, 'environment' | 'directories'> {
  const { cwd } = plan.image;
  const around = new Surroundings(plan);
  const named = [...namedPaths(variables, cwd)].map(
    ([name, paths]) =>
      [name, paths.map((one) => ({ ...one, path: path.resolve(cwd, one.path) }))] as const,
  );
  const files = named.map(([name, paths]) => {
    const states = paths
      .filter((one) => one.kind === 'file' && !around.isProduct(one.path))
      .map((one) => stateOf(one.path));
    return [name, [variables[name] ?? '', ...states].join(' ')] as const;
  });
  const directories = named.flatMap(([name, paths]) => {
    const listed = paths.filter((one) => one.kind === 'directory' && around.isInput(one.path));
    const isLeftOut = (file: string): boolean => around.isLeftOut(file);
    return listed.length > 0 && mentions(name)
      ? [[name, listed.map((one) => directoryState(one.path, isLeftOut)).join(' ')] as const]
      : [];
  });
  return {
    environment: { ...variables, ...Object.fromEntries(files) },
    directories: Object.fromEntries(directories),
  };
}

/** Empty for what cannot be read: whoever may not read it cannot depend on it either. */
function stateOf(file: string): string {
  const found = statsOf(file);
  try {
    return found === undefined ? '' : fileState(file, found);
  } catch {
    return '';
  }
}

/** Where the build works and writes: what lies there changes with every build. */
class Surroundings {
  readonly #home: string | undefined;
  readonly #tmpDir: string;
  readonly #cache: string;
  readonly #image: string;

  constructor({ environment, image, work }: BuildPlan) {
    this.#home = environment.HOME;
    this.#tmpDir = path.resolve(image.cwd, work.tmpDir);
    this.#cache = path.resolve(image.cwd, work.imageCache);
    this.#image = path.resolve(image.cwd, image.name);
  }

  /** Whether a directory is somebody's, and not the home, the place for temporary files or the cache. */
  isInput(directory: string): boolean {
    return !this.isLeftOut(directory) && !isBelow(this.#home ?? '/', directory);
  }

  /** The cache, the temporary files as such, and what this build makes. */
  isLeftOut(file: string): boolean {
    return file === this.#tmpDir || isBelow(file, this.#cache) || this.isProduct(file);
  }

  /** The image, and what lies beside it under its name. */
  isProduct(file: string): boolean {
    const image = this.#image;
    return file === image || file.startsWith(`${image}.`) || file.startsWith(`${image}-`);
  }
}

/** Whether a path is in a directory, or is that directory. */
function isBelow(file: string, directory: string): boolean {
  return file === directory || file.startsWith(directory === '/' ? '/' : `${directory}/`);
}
