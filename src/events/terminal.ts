/** What a stream and the environment say about where output goes. */

/** What a terminal can show. */
export interface Terminal {
  /** Whether lines can be redrawn. */
  readonly live: boolean;
  readonly color: boolean;
  readonly unicode: boolean;
}

/**
 * The terminal behind a stream. Source: no-color.org (`NO_COLOR` counts unless empty), terminfo(5)
 * (`dumb` cannot move the cursor), locale(7) (`LC_ALL` before `LC_CTYPE` before `LANG`).
 */
export function describeTerminal(
  isTty: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): Terminal {
  const term = environment.TERM ?? '';
  const live = isTty && term !== '' && term !== 'dumb';
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  return {
    live,
    color: live && (environment.NO_COLOR ?? '') === '',
    unicode: /utf-?8/i.test(locale),
  };
}
