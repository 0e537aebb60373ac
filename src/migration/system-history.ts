/** The history of one system in a run: read, mended, seeded, and written whole. */
import type { SystemName } from './config.ts';
import { systemKey } from './config.ts';
import type { Difference } from './difference.ts';
import {
  appendLines,
  type Fragment,
  type HistoryList,
  mendHistory,
  parseHistory,
} from './history-list.ts';
import { fileOf, mergeLists } from './package-list.ts';
import { listsToSeed, type ReadList, type Seeds } from './seeds.ts';
import { historyFile, type StatePaths } from './state.ts';
import { readIfThere, writeWhole } from './write-file.ts';

export interface HistoryNeeds {
  readonly paths: StatePaths;
  readonly seeds: Seeds;
  readonly now: Date;
  /** Change nothing on the disk. */
  readonly dryRun: boolean;
}

export class SystemHistory {
  readonly file: string;
  readonly #system: string;
  readonly #needs: HistoryNeeds;
  #text: string;
  #list: HistoryList;

  private constructor(system: SystemName, text: string, needs: HistoryNeeds) {
    this.file = historyFile(needs.paths, system);
    this.#system = systemKey(system);
    this.#needs = needs;
    this.#text = text;
    this.#list = parseHistory(text);
  }

  static async open(system: SystemName, needs: HistoryNeeds): Promise<SystemHistory> {
    const text = (await readIfThere(historyFile(needs.paths, system))) ?? '';
    if (!needs.dryRun) {
      await needs.seeds.recover(systemKey(system), text.length, needs.now);
    }
    return new SystemHistory(system, text, needs);
  }

  get list(): HistoryList {
    return this.#list;
  }

  /** Writes what new repositories have to the history. Returns these, with what was new in each. */
  async seed(
    lists: readonly ReadList[],
  ): Promise<readonly (readonly [id: string, packages: number])[]> {
    const { seeds, now } = this.#needs;
    const isImported = seeds.isImported(this.#system, this.#list.files.size > 0);
    const unmarked = lists.filter(({ id }) => !seeds.has(this.#system, id));
    const fresh = listsToSeed(unmarked, this.#list.files, { isMarked: () => false, isImported });
    if (unmarked.length === 0) {
      return [];
    }
    const files = new Set<string>();
    const counts = fresh.map(({ id, list }) => {
      const lines = mergeLists([list]).filter((line) => {
        const file = fileOf(line);
        return !this.#list.files.has(file) && !files.has(file);
      });
      for (const line of lines) {
        files.add(fileOf(line));
      }
      return { id, lines };
    });
    const added = counts.flatMap(({ lines }) => lines);
    const text = appendLines(this.#text, added);
    if (!this.#needs.dryRun) {
      await seeds.seed(
        this.#system,
        unmarked.map(({ id }) => id),
        {
          isImported,
          at: now,
          historyLength: text.length,
          publish: async () => (text === this.#text ? undefined : this.#write(text)),
        },
      );
    }
    this.#append(text, added);
    return counts.map(({ id, lines }) => [id, lines.length] as const);
  }

  /**
   * Replaces half lines by what they stand for. Those that stand for nothing that is listed go, when
   * everything that could be listed is.
   */
  async mend({ mended, ambiguous }: Difference, isComplete: boolean): Promise<readonly string[]> {
    const changes = new Map<Fragment, string | undefined>(mended);
    const unclear = new Set(ambiguous.map(([fragment]) => fragment));
    for (const fragment of this.#list.fragments) {
      if (isComplete && !changes.has(fragment) && !unclear.has(fragment)) {
        changes.set(fragment, undefined);
      }
    }
    if (changes.size > 0) {
      const text = mendHistory(this.#text, changes);
      if (!this.#needs.dryRun) {
        await this.#write(text);
      }
      this.#text = text;
      this.#list = parseHistory(text);
    }
    return [...changes].map(([{ lineNumber }, line]) => {
      const where = `${this.file}, line ${lineNumber}`;
      return line === undefined
        ? `${where}: half a line of what is not listed any more is taken out`
        : `${where}: half a line is taken for ${fileOf(line)}, which is not submitted again`;
    });
  }

  /** Adds packages whose submission is known. */
  async add(lines: readonly string[]): Promise<void> {
    const fresh = lines.filter((line) => !this.#list.files.has(fileOf(line)));
    if (fresh.length > 0) {
      const text = appendLines(this.#text, fresh);
      await this.#write(text);
      this.#append(text, fresh);
    }
  }

  #write(text: string): Promise<void> {
    return writeWhole(this.file, text);
  }

  /** Without reading all of it again: the lines before are as they were. */
  #append(text: string, added: readonly string[]): void {
    const { files, fragments } = this.#list;
    this.#text = text;
    this.#list = added.length === 0 ? this.#list : { files: union(files, added), fragments };
  }
}

function union(files: ReadonlySet<string>, lines: readonly string[]): ReadonlySet<string> {
  const all = new Set(files);
  for (const line of lines) {
    all.add(fileOf(line));
  }
  return all;
}
