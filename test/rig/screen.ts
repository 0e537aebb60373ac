/**
 * A terminal's screen, as far as a redrawing program needs it: what would be visible, and whether
 * the cursor is. Throws on a sequence that it does not know, so that nothing slips through.
 *
 * Source: ECMA-48; xterm's private modes 25 (cursor) and 2026 (synchronized output).
 */
export class Screen {
  readonly #rows: string[][] = [[]];
  #row = 0;
  #column = 0;
  cursorVisible = true;
  /** How often the cursor was hidden. */
  hides = 0;

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what terminals are told
    for (const [token] of text.matchAll(/\u001b\[[?\d;]*[A-Za-z]|[\s\S]/gu)) {
      if (token.length > 1 && token.startsWith('\u001b')) {
        this.#control(token);
      } else {
        this.#print(token);
      }
    }
  }

  #print(character: string): void {
    if (character === '\n') {
      this.#moveTo(this.#row + 1);
      this.#column = 0;
    } else if (character === '\r') {
      this.#column = 0;
    } else if (character < ' ') {
      throw new Error(`Unexpected control character ${JSON.stringify(character)}`);
    } else {
      const row = this.#current();
      while (row.length < this.#column) {
        row.push(' ');
      }
      row[this.#column] = character;
      this.#column++;
    }
  }

  #control(sequence: string): void {
    const count = Number.parseInt(sequence.slice(2), 10) || 1;
    switch (sequence.at(-1)) {
      case 'A':
        this.#moveTo(Math.max(0, this.#row - count));
        return;
      case 'B':
        this.#moveTo(this.#row + count);
        return;
      case 'G':
        this.#column = count - 1;
        return;
      case 'K':
        this.#current().length = sequence.includes('2')
          ? 0
          : Math.min(this.#column, this.#current().length);
        return;
      case 'm':
        return;
      case 'h':
      case 'l':
        this.#mode(sequence);
        return;
      default:
        throw new Error(`Unexpected sequence ${JSON.stringify(sequence)}`);
    }
  }

  #mode(sequence: string): void {
    if (sequence === '\u001b[?25l') {
      this.cursorVisible = false;
      this.hides++;
    } else if (sequence === '\u001b[?25h') {
      this.cursorVisible = true;
    } else if (!sequence.startsWith('\u001b[?2026')) {
      throw new Error(`Unexpected mode ${JSON.stringify(sequence)}`);
    }
  }

  #moveTo(row: number): void {
    this.#row = row;
    while (this.#rows.length <= row) {
      this.#rows.push([]);
    }
  }

  #current(): string[] {
    const row = this.#rows[this.#row] ?? [];
    this.#rows[this.#row] = row;
    return row;
  }

  /** What is visible, without empty lines at the end. */
  get lines(): string[] {
    const lines = this.#rows.map((row) =>
      Array.from(row, (cell) => cell ?? ' ')
        .join('')
        .trimEnd(),
    );
    while (lines.at(-1) === '') {
      lines.pop();
    }
    return lines;
  }
}
