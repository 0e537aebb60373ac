/** What an element does, read from its files: for people who choose one. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { configError } from '../events/failure.ts';
import type { Element } from './element.ts';
import { type ListedFile, listElement } from './listing.ts';
import { shellVariables } from './shell-variables.ts';

export interface VariableFact {
  readonly name: string;
  /** What a script takes instead, each once; empty text for nothing. May name other variables. */
  readonly defaults: readonly string[];
  /** Where it is read first, below the element. */
  readonly file: string;
}

export interface PackageFact {
  readonly name: string;
  /** `arch: amd64`, `phase: pre-install.d`, ... */
  readonly conditions: readonly string[];
}

/** `element-info --describe --json` prints these; the shape only grows. */
export interface ElementFacts {
  readonly name: string;
  readonly path: string;
  /** The first paragraph of its README. */
  readonly summary: string;
  readonly needs: readonly string[];
  readonly provides: readonly string[];
  /** In the order of the phases; names in byte order. */
  readonly hooks: readonly { readonly directory: string; readonly names: readonly string[] }[];
  readonly environment: readonly string[];
  readonly variables: readonly VariableFact[];
  readonly packages: readonly PackageFact[];
  /** What hooks on the host need there, any of each. */
  readonly hostTools: readonly string[];
}

const ENVIRONMENT = 'environment.d';

/**
 * Reads an element; `directories` are those of hooks, in the order in which they run.
 *
 * @throws Failed `config` for what cannot be read
 */
export async function elementFacts(
  element: Element,
  directories: readonly string[],
): Promise<ElementFacts> {
  const { files } = await listElement(element);
  const namesIn = (directory: string): readonly string[] =>
    files
      .filter((file) => path.dirname(file.path) === directory)
      .map((file) => path.basename(file.path));
  return {
    name: element.name,
    path: element.path,
    summary: summaryOf(await readNamed(files, /^README\.(rst|md)$/)),
    needs: element.deps,
    provides: element.provides,
    hooks: directories
      .map((directory) => ({ directory, names: namesIn(directory) }))
      .filter(({ names }) => names.length > 0),
    environment: namesIn(ENVIRONMENT),
    variables: await variablesIn(files, [ENVIRONMENT, ...directories, 'bin']),
    packages: packagesIn(await readNamed(files, /^package-installs\.(yaml|json)$/), element),
    hostTools: toolsIn(await readNamed(files, /^host-tools\.yaml$/), element),
  };
}

async function readNamed(files: readonly ListedFile[], name: RegExp): Promise<string> {
  const file = files.find((each) => name.test(each.path));
  return file === undefined ? '' : readFile(file.source, 'utf8');
}

/** The first paragraph of a text in reStructuredText or Markdown that is no title. Pure. */
export function summaryOf(readme: string): string {
  const paragraphs = readme.split(/\n\s*\n/).map((text) => text.trim());
  const isTitle = (text: string): boolean => /^#|^(=|-|~){3,}|\n(=|-|~){3,}$/.test(text);
  const first = paragraphs.find((text) => text !== '' && !isTitle(text)) ?? '';
  return first.replaceAll(/\s+/g, ' ').replaceAll('``', '');
}

/** Each variable once: where one directory has it, what later ones say does not count. */
async function variablesIn(
  files: readonly ListedFile[],
  directories: readonly string[],
): Promise<readonly VariableFact[]> {
  const found = new Map<string, VariableFact>();
  for (const directory of directories) {
    const here = new Map<string, VariableFact>();
    for (const file of files.filter((each) => path.dirname(each.path) === directory)) {
      // A link may lead to what is only there in the build.
      const text = await readFile(file.source, 'utf8').catch(() => '');
      for (const { name, fallback } of shellVariables(text)) {
        const { defaults = [], file: first = file.path } = here.get(name) ?? {};
        here.set(name, { name, defaults: [...new Set([...defaults, fallback])], file: first });
      }
    }
    for (const [name, fact] of here) {
      found.set(name, found.get(name) ?? fact);
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function packagesIn(text: string, element: Element): readonly PackageFact[] {
  const rows = Object.entries(parsed(text, element, 'package-installs') ?? {});
  return rows.flatMap(([name, value]) =>
    [value].flat().map((conditions) => ({
      name,
      conditions: Object.entries((conditions ?? {}) as Record<string, unknown>).map(
        ([key, condition]) => `${key}: ${[condition].flat().join(' and ')}`,
      ),
    })),
  );
}

function toolsIn(text: string, element: Element): readonly string[] {
  const rows = parsed(text, element, 'host-tools');
  return Array.isArray(rows)
    ? rows.map((row: { readonly tool?: unknown }) => [row.tool].flat().join(' or '))
    : [];
}

function parsed(text: string, element: Element, what: string): object | null | undefined {
  try {
    return parse(text) as object | null | undefined;
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw configError(`Cannot read the ${what} file of the element '${element.name}': ${reason}`);
  }
}

/** The facts for a person. Pure. */
export function renderFacts(facts: ElementFacts): readonly string[] {
  const { needs, provides, hooks, environment, variables, packages, hostTools } = facts;
  return [
    facts.name,
    `  ${facts.path}`,
    ...(facts.summary === '' ? [] : [`  ${facts.summary}`]),
    ...section('needs', needs.length > 0 ? [needs.join(', ')] : []),
    ...section('provides', provides.length > 0 ? [provides.join(', ')] : []),
    ...section(
      'hooks',
      hooks.flatMap(({ directory, names }) => names.map((name) => `${directory}/${name}`)),
    ),
    ...section('environment', environment),
    ...section(
      'variables',
      variables.map(({ name, defaults }) => `${name} (${defaults.map(shown).join(' or ')})`),
    ),
    ...section(
      'packages',
      packages.map(({ name, conditions }) =>
        conditions.length === 0 ? name : `${name} (${conditions.join(', ')})`,
      ),
    ),
    ...section('needs on the host', hostTools),
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', `  ${title}:`, ...lines.map((line) => `    ${line}`)];
}

function shown(value: string): string {
  return value === '' ? 'unset' : value.trim().replaceAll(/\s*\n\s*/g, ' ');
}
