/** The settings of a command line and of the environment, as they are asked for; what is wrong with them. Pure. */
import { usageError } from '../events/failure.ts';
import type { ImageCommand, OptionValues } from './options.ts';

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

  /** A number, zero or above; both spellings are named when it is none. */
  number(key: keyof OptionValues | undefined, variable: string): number | undefined {
    const given = key === undefined ? undefined : this.#options[key];
    const text = typeof given === 'string' ? given : this.variable(variable);
    if (text === undefined) {
      return undefined;
    }
    const value = Number(text);
    if (!Number.isFinite(value) || value < 0) {
      this.problem(`${variable} must be a number, zero or above: '${text}'`);
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
