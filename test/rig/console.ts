/** What a serial console has said, and a way to wait for what it says next. */

interface Waiter {
  readonly pattern: RegExp;
  readonly resolve: (matched: string) => void;
}

/** Text that grows. Waiting moves a cursor past what was matched, so nothing is matched twice. */
export class Console {
  #text = '';
  #cursor = 0;
  #waiter: Waiter | undefined;

  append(text: string): void {
    this.#text += text;
    this.#look();
  }

  /** Everything so far, as a person would see it: without terminal control sequences. */
  get text(): string {
    return plain(this.#text);
  }

  lastLines(count: number): string {
    return this.text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-count)
      .join('\n');
  }

  /** Resolves with the text from the cursor to the end of the first match of `pattern`. */
  next(pattern: RegExp): Promise<string> {
    if (this.#waiter !== undefined) {
      throw new Error('Cannot wait for two things at once');
    }
    return new Promise((resolve) => {
      this.#waiter = { pattern, resolve };
      this.#look();
    });
  }

  /** Gives up waiting; the promise stays pending and is forgotten. */
  forget(): void {
    this.#waiter = undefined;
  }

  #look(): void {
    const fresh = plain(this.#text.slice(this.#cursor));
    const match = this.#waiter?.pattern.exec(fresh);
    if (this.#waiter === undefined || match === null || match === undefined) {
      return;
    }
    const { resolve } = this.#waiter;
    this.#waiter = undefined;
    // Control sequences would make the two lengths differ, so the rest is kept as plain text.
    const end = match.index + match[0].length;
    this.#text = plain(this.#text.slice(0, this.#cursor)) + fresh;
    this.#cursor = this.#text.length - fresh.length + end;
    resolve(fresh.slice(0, end));
  }
}

function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: terminal sequences are made of these.
  return text.replaceAll(/\u001b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78c])|\r/g, '');
}
