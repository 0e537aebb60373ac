/**
 * A reporter for `node --test`: of each file that failed as a whole, how it ended and what it last wrote to
 * standard error. Node's own reporters say no more of it than "test failed", thousands of lines further down.
 */
import path from 'node:path';

const LINES = 20;

/** @param {AsyncIterable<import('node:test/reporters').TestEvent>} events */
// biome-ignore lint/style/noDefaultExport: Node takes a reporter from the default export
export default async function* lastWords(events) {
  const words = new Map();
  const failed = [];
  for await (const { type, data } of events) {
    if (type === 'test:stderr') {
      const lines = `${words.get(data.file) ?? ''}${data.message}`.split('\n');
      words.set(data.file, lines.slice(-LINES - 1).join('\n'));
    } else if (type === 'test:fail' && data.name === data.file) {
      failed.push({ file: data.file, ...data.details.error });
    }
  }
  for (const { file, exitCode, signal } of failed) {
    const end = signal ? `was killed by ${signal}` : `ended with exit code ${exitCode}`;
    yield `\n${path.basename(file)} ${end}, outside of its tests. Its last words:\n`;
    yield `${words.get(file) ?? '(none)'}\n`;
  }
}
