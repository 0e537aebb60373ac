/**
 * Which repositories have been seeded: their packages at that time are in the history without having been
 * submitted, and only what comes later is new.
 *
 * A mark per repository, so that one that was down when the others were seeded, or that is added later, is
 * seeded when it is first read, and does not flood.
 */
import { configError } from '../events/failure.ts';
import { fileOf, linesOf } from './package-list.ts';
import { readIfThere, writeWhole } from './write-file.ts';

interface SystemSeeds {
  /** By repository id: when. */
  readonly repositories: Readonly<Record<string, string>>;
  /** The history was there before any mark: it came from elsewhere. */
  readonly isImported: boolean;
  /**
   * About to be marked, once the history has this length. The two files cannot be replaced in one step; so
   * after a kill in between, the history's length says whether it was the first or the second.
   */
  readonly pending?: { readonly repositories: readonly string[]; readonly historyLength: number };
}

interface SeedsFile {
  readonly version: 1;
  readonly systems: Readonly<Record<string, SystemSeeds>>;
}

export class Seeds {
  readonly #file: string;
  #content: SeedsFile;

  private constructor(file: string, content: SeedsFile) {
    this.#file = file;
    this.#content = content;
  }

  /** @throws Failed `config` when the file is not ours: seeding again would lose what is new. */
  static async open(file: string): Promise<Seeds> {
    const text = await readIfThere(file);
    if (text === undefined) {
      return new Seeds(file, { version: 1, systems: {} });
    }
    try {
      const content = JSON.parse(text) as SeedsFile;
      if (content.version === 1 && typeof content.systems === 'object') {
        return new Seeds(file, content);
      }
    } catch {
      // Said below.
    }
    throw configError(`'${file}' is not a list of seeded repositories`, {
      hint: 'Restore it from a copy. Without it all repositories are seeded anew: what is new now is then not submitted',
    });
  }

  /** Whether the history of a system came from elsewhere; `hasHistory` when it is seen first. */
  isImported(system: string, hasHistory: boolean): boolean {
    return this.#content.systems[system]?.isImported ?? hasHistory;
  }

  has(system: string, repository: string): boolean {
    return this.#content.systems[system]?.repositories[repository] !== undefined;
  }

  /** Finishes or forgets what a killed run had begun. */
  async recover(system: string, historyLength: number, at: Date): Promise<void> {
    const pending = this.#content.systems[system]?.pending;
    if (pending !== undefined) {
      const done = pending.historyLength === historyLength ? pending.repositories : [];
      await this.#mark(system, done, at);
    }
  }

  /** Has the history written by `publish`, and marks the repositories. */
  async seed(system: string, repositories: readonly string[], seeding: Seeding): Promise<void> {
    await this.#write(system, {
      repositories: this.#content.systems[system]?.repositories ?? {},
      isImported: seeding.isImported,
      pending: { repositories, historyLength: seeding.historyLength },
    });
    await seeding.publish();
    await this.#mark(system, repositories, seeding.at);
  }

  async #mark(system: string, repositories: readonly string[], at: Date): Promise<void> {
    const marks = repositories.map((id) => [id, at.toISOString()] as const);
    const known = this.#content.systems[system];
    await this.#write(system, {
      repositories: { ...known?.repositories, ...Object.fromEntries(marks) },
      isImported: known?.isImported ?? false,
    });
  }

  async #write(system: string, seeds: SystemSeeds): Promise<void> {
    const systems = { ...this.#content.systems, [system]: seeds };
    this.#content = { version: 1, systems };
    await writeWhole(this.#file, `${JSON.stringify(this.#content, null, 2)}\n`);
  }
}

export interface Seeding {
  readonly isImported: boolean;
  readonly at: Date;
  /** How long the history will be, in characters. */
  readonly historyLength: number;
  readonly publish: () => Promise<void>;
}

/** The list of one repository, by its id. */
export interface ReadList {
  readonly id: string;
  readonly list: string;
}

/**
 * Which of the lists that were read are to be seeded. A history that came from elsewhere has no marks:
 * then a repository counts as seeded when a package of it is in there.
 */
export function listsToSeed(
  lists: readonly ReadList[],
  history: ReadonlySet<string>,
  seeds: { readonly isMarked: (id: string) => boolean; readonly isImported: boolean },
): readonly ReadList[] {
  return lists.filter(({ id, list }) => {
    if (seeds.isMarked(id)) {
      return false;
    }
    return !(seeds.isImported && hasAny(list, history));
  });
}

function hasAny(list: string, history: ReadonlySet<string>): boolean {
  for (const line of linesOf(list)) {
    if (history.has(fileOf(line))) {
      return true;
    }
  }
  return false;
}
