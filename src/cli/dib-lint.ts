/** The command `dib-lint`: what is wrong with elements, before a build finds out. */
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { readHookTree } from '../elements/assemble.ts';
import { type Catalogue, openCatalogue } from '../elements/catalogue.ts';
import { parseElementsPath } from '../elements/element.ts';
import type { Finding } from '../elements/lint/finding.ts';
import { lintElement, withoutDisabled } from '../elements/lint/lint-element.ts';
import { applyFixes, readElement } from '../elements/lint/read-element.ts';
import { resolveElements } from '../elements/resolve.ts';
import { configError, Failed } from '../events/failure.ts';
import { PHASES } from '../phases/table.ts';
import { toolPath } from '../sandbox/host-tools.ts';
import { runTool } from '../sandbox/process.ts';
import { ownEnvironment, toolEnvironment } from './host-facts.ts';
import { type LintTools, openLintTools } from './lint-tools.ts';
import { runCommand } from './main.ts';
import { builtinElements, packageVersion } from './package-paths.ts';
import { parseArguments } from './parse-arguments.ts';
import { withStopSignal } from './stop-signal.ts';

const DETAILS = `
DIRECTORY is an element or a directory of elements (default: ELEMENTS_DIR, else
diskimage_builder/elements, else elements). Files that git ignores are left out.

A line '# dib-lint: disable=NAME NAME' in a file switches checks off for it; 'ignore = NAME' in the
section [dib-lint] of tox.ini, for all. Errors make the command fail, warnings only with --strict.

Checks:
  readme, depsorder, yaml, pkgmap, newline, tabindent, mddocs     form of the files
  executable, bashpath, indent, sete, setu, setpipefail, dibdebugtrace, export, which, safe_sudo
                                                                  scripts
  environment    environment.d sets no options of the shell and is not executable
  neverrun       a hook that no phase runs: its name, its mode, its directory
  undeclared     something that is read by an element that is not among the dependencies (warning)
  network        a download on the host past the cache (warning)
  shellcheck, flake8                                              where they are installed

Environment:
  ELEMENTS_DIR    what is checked when no DIRECTORY is given
  ELEMENTS_PATH   where elements are found that others depend on, and with --together

Examples:
  dib-lint elements
  dib-lint --fix elements/my-element
  dib-lint --together 'vm block-device-mbr debian-minimal my-element' elements/my-element
      also: do these go together, without a missing element or two hooks of one name?

Exit codes: 0 passed, 1 did not, 2 usage
`;

interface Options {
  readonly json?: true;
  readonly fix?: true;
  readonly strict?: true;
  readonly together?: string;
}

interface Linted {
  readonly directory: string;
  readonly findings: readonly Finding[];
  readonly files: number;
}

void runCommand(async () => {
  const command = new Command('dib-lint')
    .description('Checks elements.')
    .usage('[OPTION]... [DIRECTORY]...')
    .argument('[directory...]', 'elements, or directories of them')
    .option('--json', 'print the findings as JSON')
    .option('--fix', 'mend what can be mended without thinking')
    .option('--strict', 'let warnings fail too')
    .option('--together <elements>', 'also check that these elements can be in one image')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', DETAILS);
  if (parseArguments(command, process.argv.slice(2)) === 'done') {
    return 0;
  }
  return await withStopSignal((signal) => lint(command.args, command.opts<Options>(), signal));
});

async function lint(
  given: readonly string[],
  options: Options,
  signal: AbortSignal,
): Promise<number> {
  const directories = given.length > 0 ? given : [defaultDirectory()];
  const say = options.json === true ? () => {} : (text: string) => process.stdout.write(text);
  const environment = toolEnvironment(toolPath(ownEnvironment().PATH));
  const tools = await openLintTools({ environment, signal });
  const ignoredChecks = await globallyIgnored();
  const catalogue = await openCatalogueFor(directories);
  const linted: Linted[] = [];
  for (const directory of directories) {
    say(`Running dib-lint in ${directory}\n`);
    const ignored = await gitIgnored(directory, { environment, signal });
    for (const element of await elementsIn(directory)) {
      signal.throwIfAborted();
      const one = await lintOne(element, { ignored, catalogue, tools, fix: options.fix === true });
      const findings = one.findings.filter(({ check }) => !ignoredChecks.has(check));
      linted.push({ ...one, findings });
      say(renderElement({ ...one, findings }));
    }
  }
  const apart = options.together === undefined ? [] : await together(options.together, catalogue);
  return conclude({ linted, apart, missing: tools.missing }, options);
}

function defaultDirectory(): string {
  const candidates = [ownEnvironment().ELEMENTS_DIR, 'diskimage_builder/elements', 'elements'];
  const found = candidates.find((one) => one !== undefined && one !== '' && existsSync(one));
  if (found === undefined) {
    throw configError('There is no directory of elements here', {
      hint: 'Name it: dib-lint DIRECTORY',
    });
  }
  return found;
}

/** An element has files with a meaning of their own; a directory of elements has none. */
async function elementsIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: Error) => {
    throw configError(`Cannot read '${directory}': ${error.message}`);
  });
  const isElement = entries.some(({ name }) => /^element-deps$|^README\.rst$|\.d$/.test(name));
  if (isElement) {
    return [directory];
  }
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== '__pycache__')
    .map(({ name }) => path.join(directory, name))
    .sort();
}

/** What can be named in `element-deps`: the elements here, of ELEMENTS_PATH, and the built-in ones. */
async function openCatalogueFor(directories: readonly string[]): Promise<Catalogue> {
  const own = await Promise.all(
    directories.map(async (directory) => {
      const [first] = await elementsIn(directory);
      return first === directory ? path.dirname(path.resolve(directory)) : directory;
    }),
  );
  const others = parseElementsPath(ownEnvironment().ELEMENTS_PATH, builtinElements);
  return await openCatalogue([...new Set([...own, ...others])]);
}

interface LintRun {
  readonly ignored: ReadonlySet<string>;
  readonly catalogue: Catalogue;
  readonly tools: LintTools;
  readonly fix: boolean;
}

async function lintOne(directory: string, run: LintRun): Promise<Linted> {
  const element = await readElement(directory, run.ignored);
  const rules = {
    hookDirectories: PHASES.map(({ name }) => `${name}.d`),
    comesWith: comesWith(element.name, run.catalogue),
  };
  const found = withoutDisabled(element, [
    ...lintElement(element, rules),
    ...(await run.tools.check(directory, element)),
  ]);
  if (!run.fix) {
    return { directory, findings: found, files: element.files.length };
  }
  const mended = await applyFixes(directory, found);
  const left = found.filter((finding) => !mended.includes(finding));
  return mended.length === 0
    ? { directory, findings: left, files: element.files.length }
    : await lintOne(directory, run);
}

/** An element with all that its dependencies bring along, by every name that they answer to. */
function comesWith(name: string, { elements }: Catalogue): ReadonlySet<string> {
  const seen = new Set<string>();
  const visit = (each: string): void => {
    if (!seen.has(each)) {
      seen.add(each);
      const element = elements.get(each);
      element?.provides.forEach((provided) => {
        seen.add(provided);
      });
      element?.deps.forEach(visit);
    }
  };
  visit(name);
  return seen;
}

/** Paths that git leaves out; none outside of a work tree, or without git. */
async function gitIgnored(
  directory: string,
  { environment, signal }: { environment: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<ReadonlySet<string>> {
  const context = { emit: () => {}, signal, toolEnvironment: environment };
  const argv = ['git', 'ls-files', '-z', '--others', '--ignored', '--exclude-standard'] as const;
  const options = { cwd: directory, announce: false };
  const printed = await runTool([...argv], context, options).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof Failed) {
      return '';
    }
    throw error;
  });
  return new Set(
    printed
      .split('\0')
      .filter((name) => name !== '')
      .map((name) => path.join(directory, name)),
  );
}

/** Source: dib-contract, 1.6. */
async function globallyIgnored(): Promise<ReadonlySet<string>> {
  const text = await readFile('tox.ini', 'utf8').catch(() => '');
  const section = /^\[dib-lint\]\n((?:(?!\[).*\n?)*)/m.exec(text)?.[1] ?? '';
  const names = /^ignore\s*=\s*(.*)$/m.exec(section)?.[1] ?? '';
  return new Set(names.split(/[\s,]+/).filter((name) => name !== ''));
}

/** Why some elements cannot be in one image; empty when they can. */
async function together(names: string, catalogue: Catalogue): Promise<readonly string[]> {
  try {
    const requested = names.split(/[\s,]+/).filter((name) => name !== '');
    await readHookTree(resolveElements(requested, catalogue));
    return [];
  } catch (error) {
    if (error instanceof Failed) {
      return [error.failure.message];
    }
    throw error;
  }
}

function renderElement({ directory, findings }: Linted): string {
  const lines = findings.map(({ path: file, line, severity, message, check }) => {
    const place = [path.join(directory, file), ...(line === undefined ? [] : [line])].join(':');
    return `${severity.toUpperCase()}: ${place}: ${message} [${check}]\n`;
  });
  return [`Checking ${directory}\n`, ...lines].join('');
}

interface Result {
  readonly linted: readonly Linted[];
  readonly apart: readonly string[];
  readonly missing: readonly string[];
}

function conclude({ linted, apart, missing }: Result, { json, strict }: Options): number {
  const findings = linted.flatMap(({ directory, findings: each }) =>
    each.map(({ fix, path: file, ...rest }) => ({
      ...rest,
      path: path.join(directory, file),
      fixable: fix !== undefined,
    })),
  );
  const fatal = findings.filter(({ severity }) => severity === 'error' || strict === true);
  const passed = fatal.length === 0 && apart.length === 0;
  if (json === true) {
    const report = { v: 1, passed, findings, apart, notInstalled: missing };
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
    return passed ? 0 : 1;
  }
  const files = linted.reduce((sum, one) => sum + one.files, 0);
  process.stdout.write(
    [
      ...apart.map((message) => `ERROR: ${message}\n`),
      ...missing.map((tool) => `NOTE: ${tool} is not installed: its checks were left out\n`),
      `${linted.length} elements, ${files} files: ${fatal.length + apart.length} errors, `,
      `${findings.length - fatal.length} warnings\n`,
      passed ? 'PASS\n' : '*** FAIL: Some tests failed!\n',
    ].join(''),
  );
  return passed ? 0 : 1;
}
