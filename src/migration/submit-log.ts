/**
 * The log directory of one batch, in the form that operators and their scripts know.
 *
 * Source: migration facts, 1.12. One package, one line in one of the lists.
 */
import { promises as fs } from 'node:fs';
import path from 'node:path';
import { fileOf, urlOf } from './package-list.ts';
import { SUBMIT_LOG_FILES } from './state.ts';
import type { Attempt } from './submit-attempt.ts';

/** Makes the directory, under another name when somebody has this one. Returns its name. */
export async function makeLogDirectory(parent: string, name: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    try {
      await fs.mkdir(path.join(parent, candidate));
      return candidate;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw error;
      }
    }
  }
}

/** What happened to one package, attempt by attempt. */
export interface PackageStory {
  readonly line: string;
  readonly argv: readonly string[];
  readonly attempts: readonly Attempt[];
}

export class SubmitLog {
  readonly #directory: string;
  #submitted = 0;
  #failed = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Each file gets its lines in one write, so that packages submitted at once do not mix. */
  async add(story: PackageStory): Promise<void> {
    const last = story.attempts[story.attempts.length - 1];
    const isSubmitted = last?.verdict.kind === 'submitted';
    const url = urlOf(story.line);
    const roots = story.attempts.flatMap(({ output }) => output.resultRoots);
    this.#submitted += isSubmitted ? 1 : 0;
    this.#failed += isSubmitted ? 0 : 1;
    await this.#append(SUBMIT_LOG_FILES.log, tell(story));
    if (roots.length > 0) {
      await this.#append(SUBMIT_LOG_FILES.resultRoots, `${roots.join('\n')}\n`);
    }
    if (isSubmitted) {
      const [job = ''] = last.output.jobs;
      const [root] = last.output.resultRoots;
      await this.#append(
        SUBMIT_LOG_FILES.succeeded,
        `${url}  ${job}${root === undefined ? '' : ` ${root}`}\n`,
      );
    } else {
      await this.#append(SUBMIT_LOG_FILES.failed, `${url} ${fileOf(story.line)}\n`);
    }
  }

  /** The last lines of the log. */
  async close(): Promise<void> {
    const total = this.#submitted + this.#failed;
    await this.#append(
      SUBMIT_LOG_FILES.log,
      `total [${total}]\nsuccess [${this.#submitted}]\nfail [${this.#failed}]\n`,
    );
  }

  #append(name: string, text: string): Promise<void> {
    return fs.appendFile(path.join(this.#directory, name), text);
  }
}

function tell({ line, argv, attempts }: PackageStory): string {
  const told = attempts.map((attempt, index) => {
    const { verdict, output, said } = attempt;
    const printed = said === '' || said.endsWith('\n') ? said : `${said}\n`;
    const end =
      verdict.kind === 'submitted'
        ? `job id[${output.jobs.join(' ')}]\n[${urlOf(line)}] submit success..\n`
        : `submit ${verdict.kind}: ${verdict.reason}\n`;
    return `submit times [${index + 1}]\n${printed}${end}`;
  });
  return `${argv.join(' ')}\n${told.join('')}\n`;
}
