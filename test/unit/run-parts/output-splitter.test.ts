import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MAX_LINE_BYTES, OutputSplitter } from '../../../src/run-parts/output-splitter.ts';

const NONCE = 'abc123';
const mark = (text: string): string => `\0${NONCE} ${text}\n`;

/** What comes out, lines as `|line` and markers as `!text`. */
function split(...chunks: (string | Buffer)[]): string[] {
  const seen: string[] = [];
  const splitter = new OutputSplitter(NONCE, {
    line: (text) => seen.push(`|${text}`),
    marker: (text) => seen.push(`!${text}`),
  });
  for (const chunk of chunks) {
    splitter.push(Buffer.from(chunk));
  }
  splitter.flush();
  return seen;
}

const TABLE: readonly { name: string; input: string; seen: readonly string[] }[] = [
  { name: 'lines, empty ones too', input: 'a\n\nb\n', seen: ['|a', '|', '|b'] },
  { name: 'a last line without a newline', input: 'a\nb', seen: ['|a', '|b'] },
  { name: 'a marker after a whole line', input: `a\n${mark('0')}b\n`, seen: ['|a', '!0', '|b'] },
  { name: 'a marker glued to a line', input: `a${mark('3')}b`, seen: ['|a', '!3', '|b'] },
  { name: 'markers in a row', input: mark('0') + mark('1'), seen: ['!0', '!1'] },
  { name: 'CR LF as one end', input: 'a\r\nb\r\n\r\nc', seen: ['|a', '|b', '|', '|c'] },
  { name: 'a progress bar', input: '\r1%\r2%\r3%\r\ndone', seen: ['|1%', '|2%', '|3%', '|done'] },
  { name: 'a CR before a marker', input: `1%\r${mark('0')}\n`, seen: ['|1%', '!0', '|'] },
  {
    name: 'NULs that are no marker',
    input: `\0\0x\n\0${NONCE}\n`,
    seen: ['|\0\0x', `|\0${NONCE}`],
  },
  { name: 'letters of several bytes', input: 'äöü€\n', seen: ['|äöü€'] },
];

describe('OutputSplitter', () => {
  for (const { name, input, seen } of TABLE) {
    it(`passes on ${name}`, () => assert.deepEqual(split(input), seen));
    it(`passes on ${name}, whatever pieces it arrives in`, () => {
      const bytes = Buffer.from(input);
      assert.deepEqual(split(...Array.from(bytes, (byte) => Buffer.from([byte]))), seen);
      for (let at = 0; at <= bytes.length; at += 1) {
        assert.deepEqual(split(bytes.subarray(0, at), bytes.subarray(at)), seen);
      }
    });
  }

  it('cuts an endless line into pieces, and finds the marker after it', () => {
    const long = 'x'.repeat(3 * MAX_LINE_BYTES + 5);
    const seen = split(...(`${long}${mark('7')}`.match(/.{1,5000}|\n/gs) ?? []));
    assert.equal(seen.at(-1), '!7');
    assert.ok(seen.slice(0, -1).every((line) => line.length <= MAX_LINE_BYTES + 64));
    assert.equal(
      seen
        .slice(0, -1)
        .map((line) => line.slice(1))
        .join(''),
      long,
    );
  });

  it('survives bytes that are no text', () => {
    const junk = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 37) % 256));
    assert.equal(split(junk, mark('0')).at(-1), '!0');
  });
});
