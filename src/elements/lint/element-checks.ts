/** Checks of an element as a whole. */
import { closestNames } from '../../plan/closest.ts';
import type { Finding, LintFile } from './finding.ts';
import { interpreterOf } from './script-checks.ts';

export interface LintElement {
  readonly name: string;
  /** Sorted by path. */
  readonly files: readonly LintFile[];
}

export interface ElementRules {
  /** The directories of hooks, for example `install.d`. */
  readonly hookDirectories: readonly string[];
  /** The elements that come along with this one, itself included; undefined: that is not known. */
  readonly comesWith?: ReadonlySet<string>;
}

/** Directories with an end in `.d` that others read. Source: dib-contract, 3.1. */
const OTHER_DIRECTORIES = [
  ...['environment.d', 'fingerprint.d', 'container.d', 'debootstrap.d', 'modprobe.d'],
  ...['dracut.conf.d', 'yum.repos.d', 'binary-deps.d', 'init.d', 'udev.d', 'ramdisk-install.d'],
  'dracut-drivers.d',
];

/** What run-parts takes for a hook. Source: lib/dib-run-parts. */
const HOOK_NAME = /^[0-9A-Za-z_-]+$/;

/** Everything that is wrong with an element itself, by path. */
export function checkElement(element: LintElement, rules: ElementRules): readonly Finding[] {
  return [
    ...readme(element),
    ...element.files.flatMap((file) => neverRun(file, rules)),
    ...strangeDirectories(element, rules),
    ...undeclared(element, rules),
  ];
}

function readme({ files }: LintElement): readonly Finding[] {
  const path = 'README.rst';
  const message = 'An element needs a README.rst that says what it is for';
  return files.some((file) => file.path === path)
    ? []
    : [{ check: 'readme', severity: 'error', path, message }];
}

function neverRun(file: LintFile, { hookDirectories }: ElementRules): readonly Finding[] {
  const [directory = '', name = '', ...deeper] = file.path.split('/');
  if (!hookDirectories.includes(directory) || deeper.length > 0) {
    return [];
  }
  const here = { check: 'neverrun', severity: 'error', path: file.path } as const;
  if (!HOOK_NAME.test(name)) {
    // A file that nobody would run may well lie beside the hooks.
    const meant = file.executable || interpreterOf(file) !== undefined;
    const message = 'No phase runs it: a hook has only letters, digits, _ and - in its name';
    return meant ? [{ ...here, message }] : [];
  }
  if (!file.executable && interpreterOf(file) === undefined) {
    return [{ ...here, message: 'No phase runs it: it is not executable, and has no #! line' }];
  }
  return [];
}

function strangeDirectories(
  { files }: LintElement,
  { hookDirectories }: ElementRules,
): readonly Finding[] {
  const known = [...hookDirectories, ...OTHER_DIRECTORIES];
  const directories = new Set(
    files.filter(({ path }) => path.includes('/')).map(({ path }) => path.split('/', 1)[0] ?? ''),
  );
  return [...directories].sort().flatMap((path): readonly Finding[] => {
    const [near] = known.includes(path) ? [] : closestNames(withEnding(path), known);
    const message = `No phase runs what is in '${path}': did you mean '${near}'?`;
    return near === undefined ? [] : [{ check: 'neverrun', severity: 'error', path, message }];
  });
}

/** `install` stands for `install.d` as far as typing errors go. */
function withEnding(directory: string): string {
  return directory.endsWith('.d') ? directory : `${directory}.d`;
}

interface Need {
  readonly element: string;
  readonly what: string;
  readonly by: (file: LintFile) => boolean;
}

const below =
  (directory: string) =>
  ({ path }: LintFile): boolean =>
    path.startsWith(`${directory}/`);
const named =
  (pattern: RegExp) =>
  ({ path }: LintFile): boolean =>
    pattern.test(path);
const calls =
  (command: RegExp) =>
  (file: LintFile): boolean =>
    interpreterOf(file) !== undefined && command.test(withoutComments(file.text));

/** What is read by an element only when that one is there too. Source: dib-contract, 3.1 and 7. */
const NEEDS: readonly Need[] = [
  {
    element: 'package-installs',
    what: 'package-installs.yaml',
    by: named(/^package-installs\.(?:yaml|json)$/),
  },
  { element: 'pkg-map', what: 'pkg-map', by: named(/^pkg-map$/) },
  { element: 'svc-map', what: 'svc-map', by: named(/^svc-map$/) },
  { element: 'source-repositories', what: 'source-repository-*', by: named(/^source-repository-/) },
  { element: 'install-bin', what: 'bin/', by: below('bin') },
  { element: 'install-static', what: 'static/', by: below('static') },
  { element: 'dib-init-system', what: 'init-scripts/', by: below('init-scripts') },
  { element: 'install-types', what: '*-install/', by: named(/^install\.d\/[^/]+-install\//) },
  { element: 'modprobe', what: 'modprobe.d/', by: below('modprobe.d') },
  { element: 'dracut-regenerate', what: 'dracut.conf.d/', by: below('dracut.conf.d') },
  { element: 'containerfile', what: 'containerfiles/', by: below('containerfiles') },
  {
    element: 'dib-python',
    what: 'dib-python',
    by: (file) => /dib-python/.test(interpreterOf(file) ?? ''),
  },
  { element: 'cache-url', what: 'the command cache-url', by: calls(/\bcache-url\s/) },
  { element: 'svc-map', what: 'the command svc-map', by: calls(/\bsvc-map\s/) },
  { element: 'pkg-map', what: 'the command pkg-map', by: calls(/\bpkg-map\s/) },
  { element: 'manifests', what: 'the command save-manifest', by: calls(/\bsave-manifest\s/) },
];

function withoutComments(text: string): string {
  return text.replaceAll(/^\s*#.*$/gm, '');
}

function undeclared({ name, files }: LintElement, { comesWith }: ElementRules): readonly Finding[] {
  if (comesWith === undefined) {
    return [];
  }
  const seen = new Set<string>();
  return NEEDS.flatMap((need): readonly Finding[] => {
    const file = files.find(need.by);
    if (
      file === undefined ||
      need.element === name ||
      comesWith.has(need.element) ||
      seen.has(need.element)
    ) {
      return [];
    }
    seen.add(need.element);
    const message = `Uses ${need.what}, but '${need.element}' is not among its element-deps`;
    return [{ check: 'undeclared', severity: 'warning', path: file.path, message }];
  });
}
