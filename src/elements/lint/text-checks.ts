/** Checks of a file's form and of data in it. Source of upstream's rules: dib-contract, 1.6. */
import { LineCounter, parseDocument } from 'yaml';
import { type FileCheck, type Finding, findLines, type LintFile, linesOf } from './finding.ts';

export const TEXT_CHECKS: readonly FileCheck[] = [
  tabs,
  newline,
  markdown,
  depsOrder,
  yamlSyntax,
  packageMap,
];

/** Upstream looks at documentation and at what is run. */
function hasForm(file: LintFile): boolean {
  return file.text !== '' && (file.path.endsWith('.rst') || file.executable);
}

function tabs(file: LintFile): readonly Finding[] {
  const finding = { check: 'tabindent', severity: 'error', message: 'Indented by a tab' } as const;
  return hasForm(file) ? findLines(file, finding, (line) => line.startsWith('\t')) : [];
}

function newline(file: LintFile): readonly Finding[] {
  const wanted = hasForm(file) || /^source-repository-[^/]*$/.test(file.path);
  if (!wanted || file.text === '' || file.text.endsWith('\n')) {
    return [];
  }
  const fix = { text: `${file.text}\n` };
  const message = 'No newline at the end';
  return [{ check: 'newline', severity: 'error', path: file.path, message, fix }];
}

function markdown({ path }: LintFile): readonly Finding[] {
  const message = 'Documentation is reStructuredText here: a .rst file';
  return path.endsWith('.md') ? [{ check: 'mddocs', severity: 'error', path, message }] : [];
}

function depsOrder(file: LintFile): readonly Finding[] {
  if (file.path !== 'element-deps') {
    return [];
  }
  const lines = linesOf(file.text);
  const names = lines.filter((line) => line.trim() !== '' && !line.trim().startsWith('#'));
  const sorted = names.toSorted();
  const wrong = names.findIndex((name, index) => name !== sorted[index]);
  if (wrong === -1) {
    return [];
  }
  // With comments in between only a person knows what belongs where.
  const fix = names.length === lines.length ? { fix: { text: `${sorted.join('\n')}\n` } } : {};
  const message = `Not sorted: '${names[wrong]}' stands where '${sorted[wrong]}' belongs`;
  const line = lines.indexOf(names[wrong] ?? '') + 1;
  return [{ check: 'depsorder', severity: 'error', path: file.path, line, message, ...fix }];
}

function yamlSyntax(file: LintFile): readonly Finding[] {
  if (!file.path.endsWith('.yaml')) {
    return [];
  }
  const counter = new LineCounter();
  const { errors } = parseDocument(file.text, { lineCounter: counter, prettyErrors: false });
  return errors.map(({ message, pos }) => {
    const { line } = counter.linePos(pos[0]);
    return { check: 'yaml', severity: 'error', path: file.path, line, message };
  });
}

function packageMap(file: LintFile): readonly Finding[] {
  if (file.path !== 'pkg-map' || file.executable) {
    return [];
  }
  try {
    JSON.parse(file.text);
    return [];
  } catch (error) {
    const message = `No JSON: ${(error as Error).message}`;
    return [{ check: 'pkgmap', severity: 'error', path: file.path, message }];
  }
}
