/** The command `element-info`: which elements an image gets, why, and what each of them does. */
import { Command, Option } from 'commander';
import { type Catalogue, describeOverride, openCatalogue } from '../elements/catalogue.ts';
import { type Element, parseElementsPath } from '../elements/element.ts';
import { elementFacts, renderFacts } from '../elements/element-facts.ts';
import {
  elementGraph,
  GRAPH_FORMATS,
  type GraphFormat,
  renderGraph,
  renderWhy,
} from '../elements/element-graph.ts';
import { elementShellText } from '../elements/element-variables.ts';
import { type ResolvedElement, resolveElements } from '../elements/resolve.ts';
import { usageError } from '../events/failure.ts';
import { PHASES } from '../phases/table.ts';
import { closestNames } from '../plan/closest.ts';
import { runCommand } from './main.ts';
import { builtinElements, packageVersion } from './package-paths.ts';
import { parseArguments } from './parse-arguments.ts';

const EXAMPLES = `
Elements are looked for in the directories of ELEMENTS_PATH (separated by colons, earlier ones win),
then among the built-in ones.

Environment:
  ELEMENTS_PATH   directories of elements

Examples:
  element-info vm block-device-mbr debian-minimal
  ELEMENTS_PATH=./elements element-info --env debian-minimal my-element
  eval "$(element-info --env debian-minimal)" && get_image_element_array
  element-info --describe debian-minimal
      its hooks by phase, variables with their defaults, packages
  element-info --why dpkg debian-minimal
      who pulls the element dpkg in
  element-info --graph debian-minimal devuser
  element-info --graph=dot debian-minimal devuser | dot -Tsvg >elements.svg

Exit codes: 0 done, 2 usage, or elements that are missing or do not go together
`;

interface Options {
  readonly env?: true;
  readonly describe?: true;
  readonly json?: true;
  readonly graph?: GraphFormat | true;
  readonly why?: string;
}

void runCommand(async () => {
  const command = new Command('element-info')
    .description('Prints the elements that ELEMENT... stand for, dependencies first.')
    .argument('<element...>', 'elements to start from')
    .option('-e, --env', 'print bash text that defines what hooks see instead')
    .option('--describe', 'what each ELEMENT does: hooks, variables, packages')
    .option('--json', 'with --describe: as JSON')
    .addOption(
      new Option('--graph [FORMAT]', 'who needs whom, as a picture').choices(GRAPH_FORMATS),
    )
    .option('--why <NAME>', 'who pulls the element NAME in')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES);
  if (parseArguments(command, process.argv.slice(2).map(withFormat)) === 'done') {
    return 0;
  }
  const options = command.opts<Options>();
  assertOneQuestion(options);
  const catalogue = await openCatalogue(
    parseElementsPath(process.env.ELEMENTS_PATH, builtinElements),
  );
  for (const override of catalogue.overrides) {
    process.stderr.write(`WARNING: ${describeOverride(override)}\n`);
  }
  const print = options.describe ? describe : answer;
  process.stdout.write(await print(command.args, catalogue, options));
  return 0;
});

/** `--graph ELEMENT` has no format: only `--graph=FORMAT` has one. */
function withFormat(word: string): string {
  return word === '--graph' ? '--graph=text' : word;
}

/** @throws Failed `usage` */
function assertOneQuestion({ env, describe, json, graph, why }: Options): void {
  const asked = [env, describe, graph, why].filter((option) => option !== undefined);
  if (asked.length > 1 || (json && !describe)) {
    throw usageError(
      json && !describe
        ? '--json goes with --describe'
        : 'Only one of --env, --describe, --graph and --why',
      'See: element-info --help',
    );
  }
}

async function answer(
  requested: readonly string[],
  catalogue: Catalogue,
  options: Options,
): Promise<string> {
  const elements: readonly ResolvedElement[] = resolveElements(requested, catalogue);
  if (options.env) {
    return elementShellText(elements);
  }
  const graph = elementGraph(requested, elements);
  if (options.why !== undefined) {
    return lines(renderWhy(graph, options.why));
  }
  return options.graph === undefined
    ? `${graph.names.join(' ')}\n`
    : lines(renderGraph(graph, options.graph === true ? 'text' : options.graph));
}

/** Each by itself: what an element does is a question before there is an image. */
async function describe(
  names: readonly string[],
  catalogue: Catalogue,
  options: Options,
): Promise<string> {
  const directories = PHASES.map((phase) => `${phase.name}.d`);
  const facts = await Promise.all(
    names.map((name) => elementFacts(elementNamed(name, catalogue), directories)),
  );
  return options.json
    ? `${JSON.stringify(facts, null, 2)}\n`
    : facts.map((each) => lines(renderFacts(each))).join('\n');
}

function elementNamed(name: string, { elements }: Catalogue): Element {
  const element = elements.get(name);
  if (element === undefined) {
    const near = closestNames(name, elements.keys());
    throw usageError(
      `Cannot find the element '${name}'`,
      near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'Set ELEMENTS_PATH to where it is',
    );
  }
  return element;
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
