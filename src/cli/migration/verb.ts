/** One word after `migration-update`. */
export interface Verb {
  readonly description: string;
  /** `argv`: what follows the word. Resolves with the process status. */
  readonly run: (argv: readonly string[]) => Promise<number>;
}
