/** An element's files as the checks want them. */
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LintElement } from './element-checks.ts';
import type { Finding, LintFile } from './finding.ts';

const NOT_READ = new Set(['__pycache__', '.git', 'test-elements']);

/** Larger files are data, and so are those with a NUL near their start. */
const MAX_TEXT_BYTES = 1 << 20;
const BINARY_WITHIN = 8192;

/** Reads an element; `ignored` are paths of files that are not looked at. Links are followed to files. */
export async function readElement(
  directory: string,
  ignored: ReadonlySet<string>,
): Promise<LintElement> {
  const files: LintFile[] = [];
  await collect(directory, '', { ignored, files });
  return {
    name: path.basename(directory),
    files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

interface Collecting {
  readonly ignored: ReadonlySet<string>;
  readonly files: LintFile[];
}

async function collect(root: string, below: string, into: Collecting): Promise<void> {
  for (const entry of await readdir(path.join(root, below), { withFileTypes: true })) {
    const here = path.posix.join(below, entry.name);
    const file = path.join(root, here);
    if (entry.isDirectory()) {
      if (!NOT_READ.has(entry.name)) {
        await collect(root, here, into);
      }
    } else if (!into.ignored.has(file)) {
      const read = await readLintFile(file, here);
      if (read !== undefined) {
        into.files.push(read);
      }
    }
  }
}

/** Undefined for what is no file: a link that leads nowhere or to a directory, a pipe. */
async function readLintFile(file: string, name: string): Promise<LintFile | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) {
    return undefined;
  }
  const bytes = found.size <= MAX_TEXT_BYTES ? await readFile(file) : Buffer.alloc(0);
  const isBinary = bytes.subarray(0, BINARY_WITHIN).includes(0);
  return {
    path: name,
    executable: (found.mode & 0o111) !== 0,
    text: isBinary ? '' : bytes.toString('utf8'),
  };
}

/** Does what the findings of an element propose; those that are mended that way. */
export async function applyFixes(
  directory: string,
  findings: readonly Finding[],
): Promise<readonly Finding[]> {
  const mended: Finding[] = [];
  const written = new Set<string>();
  for (const finding of findings) {
    const file = path.join(directory, finding.path);
    if (finding.fix === undefined || ('text' in finding.fix && written.has(file))) {
      continue;
    }
    if ('text' in finding.fix) {
      await writeFile(file, finding.fix.text);
      written.add(file);
    } else {
      const { mode } = await stat(file);
      // Whoever may read it may run it.
      await chmod(file, (mode & 0o777) | ((mode & 0o444) >> 2));
    }
    mended.push(finding);
  }
  return mended;
}
