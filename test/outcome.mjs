/**
 * A reporter for `node --test`, for run.mjs: as JSON, how many tests ended how, and of each file that failed as a
 * whole how it ended and what it last wrote to standard error. Node's own reporters say no more of such a file
 * than "test failed", thousands of lines further down.
 */
import path from 'node:path';

const LINES = 20;

/** @param {AsyncIterable<import('node:test/reporters').TestEvent>} events */
// biome-ignore lint/style/noDefaultExport: Node takes a reporter from the default export
export default async function* outcome(events) {
  const counts = {};
  const said = new Map();
  const failed = [];
  for await (const { type, data } of events) {
    if (type === 'test:stderr') {
      said.set(data.file, lastLines(`${said.get(data.file) ?? ''}${data.message}`));
    } else if (type === 'test:fail' && data.name === data.file) {
      failed.push(data);
    } else if (type === 'test:diagnostic' && data.nesting === 0) {
      Object.assign(counts, countOf(data.message));
    }
  }
  const files = failed.map(({ file, details }) => ({
    name: path.basename(file),
    end: endOf(details.error),
    words: said.get(file) ?? '',
  }));
  yield JSON.stringify({ counts, files });
}

function lastLines(text) {
  return text
    .split('\n')
    .slice(-LINES - 1)
    .join('\n');
}

function endOf({ exitCode, signal }) {
  return signal ? `was killed by ${signal}` : `ended with exit code ${exitCode}`;
}

function countOf(message) {
  const [, name, count] = /^(\w+) (\d+)$/.exec(message) ?? [];
  return name === undefined ? {} : { [name]: Number(count) };
}
