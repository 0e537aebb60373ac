/** The settings of a command line and of the environment, as they are asked for; what is wrong with them. Pure. */
import { usageError } from '../events/failure.ts';
import { type ImageCommand, OPTIONS, type OptionValues } from './options.ts';

/** What a number has to be. */
export interface NumberRule {
  /** "must be ..." */
  readonly expected: string;
  readonly fits: (value: number) => boolean;
}

const NOT_NEGATIVE: NumberRule = {
  expected: 'a number, zero or above',
  fits: (value) => Number.isFinite(value) && value >= 0,
};

export const WHOLE: NumberRule = {
  expected: 'a whole number above 0',
  fits: (value) => Number.isSafeInteger(value) && value > 0,
};

/** No file is larger, and no file system of ours. */
const MOST_GIB = 2 ** 20;

export const GIBIBYTES: NumberRule = {
  expected: `a number of GiB above 0 and below ${MOST_GIB}`,
  fits: (value) => value > 0 && value < MOST_GIB,
};

const SECTORS = [512, 1024, 2048, 4096];

export const SECTOR_BYTES: NumberRule = {
  expected: '512, 1024, 2048 or 4096',
  fits: (value) => SECTORS.includes(value),
};

/** Reads options before variables and remembers what is wrong with them. */
export class SettingReader {
  readonly #options: OptionValues;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #problems: string[] = [];

  constructor(given: {
    readonly options: OptionValues;
    readonly environment: Readonly<Record<string, string>>;
  }) {
    this.#options = given.options;
    this.#environment = given.environment;
  }

  problem(text: string): void {
    this.#problems.push(text);
  }

  variable(name: string): string | undefined {
    const value = this.#environment[name];
    return value === '' ? undefined : value;
  }

  flag(key: keyof OptionValues): boolean {
    return this.#options[key] === true;
  }

  count(key: keyof OptionValues): number {
    const value = this.#options[key];
    return typeof value === 'number' ? value : 0;
  }

  list(key: keyof OptionValues): readonly string[] {
    const value = this.#options[key];
    return Array.isArray(value) ? value : [];
  }

  text(key: keyof OptionValues, variable?: string): string | undefined {
    const value = this.#options[key];
    if (typeof value === 'string') {
      return value;
    }
    return variable === undefined ? undefined : this.variable(variable);
  }

  /** A directory that is made where it is not there; an empty option would be the current one. */
  directory(key: keyof OptionValues, variable: string): string | undefined {
    const text = this.text(key, variable);
    if (text === '') {
      const option = OPTIONS.find((row) => row.key === key)?.long;
      this.problem(`${option} (${variable}) must be a directory: ''`);
    }
    return text;
  }

  /** A number; the option is named when it was given, and the variable always. */
  number(
    key: keyof OptionValues | undefined,
    variable: string,
    rule: NumberRule = NOT_NEGATIVE,
  ): number | undefined {
    const given = key === undefined ? undefined : this.#options[key];
    const text = typeof given === 'string' ? given : this.variable(variable);
    if (text === undefined) {
      return undefined;
    }
    // To JavaScript a blank is 0: to nobody else.
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!rule.fits(value)) {
      const option = OPTIONS.find((row) => row.key === key)?.long;
      const what = typeof given === 'string' ? `${option} (${variable})` : variable;
      this.problem(`${what} must be ${rule.expected}: '${text}'`);
      return undefined;
    }
    return value;
  }

  /** @throws Failed `usage` with all of them. */
  assertNoProblems(command: ImageCommand): void {
    const [first, ...rest] = this.#problems;
    if (first !== undefined) {
      throw usageError([first, ...rest].join('; '), `See '${command} --help'`);
    }
  }
}
