/** Which variables a shell script takes from outside, and what it does without them. Pure. */

export interface ShellVariable {
  readonly name: string;
  /** As the script writes it, without quotes around it; may name other variables. */
  readonly fallback: string;
}

const START = /\$\{([A-Za-z_]\w*):?[-=]/g;

/** In every hook of ours: it says nothing of one of them. */
const EVERYWHERE = new Set(['DIB_DEBUG_TRACE']);

/**
 * The variables with a default, `${NAME:-DEFAULT}` and its like, in the order of the text: those of
 * ours (`DIB_...`), and others (`YUM`) where the default is not empty. Comments are left out.
 */
export function shellVariables(script: string): readonly ShellVariable[] {
  const text = script
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n');
  return [...text.matchAll(START)]
    .map((match) => ({
      name: match[1] ?? '',
      fallback: unquoted(upToBrace(text, match.index + match[0].length)),
    }))
    .filter(({ name, fallback }) => !EVERYWHERE.has(name) && isOurs(name, fallback));
}

function isOurs(name: string, fallback: string): boolean {
  return /^DIB_/.test(name) || (/^[A-Z][A-Z0-9_]+$/.test(name) && fallback !== '');
}

/** The text from `start` to the brace that closes what was opened before it. */
function upToBrace(text: string, start: number): string {
  let depth = 1;
  for (let at = start; at < text.length; at++) {
    if (text[at] === '\\') {
      at++;
    } else if (text[at] === '{') {
      depth++;
    } else if (text[at] === '}') {
      depth--;
    }
    if (depth === 0) {
      return text.slice(start, at);
    }
  }
  return text.slice(start).split('\n', 1)[0] ?? '';
}

function unquoted(text: string): string {
  return /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;
}
