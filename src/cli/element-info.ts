/** The command `element-info`: which elements an image gets, dependencies included. */
import { Command } from 'commander';
import { describeOverride, openCatalogue } from '../elements/catalogue.ts';
import { parseElementsPath } from '../elements/element.ts';
import { elementShellText } from '../elements/element-variables.ts';
import { resolveElements } from '../elements/resolve.ts';
import { runCommand } from './main.ts';
import { builtinElements, packageVersion } from './package-paths.ts';
import { parseArguments } from './parse-arguments.ts';

const EXAMPLES = `
Elements are looked for in the directories of ELEMENTS_PATH (separated by colons, earlier ones win),
then among the built-in ones.

Examples:
  element-info vm block-device-mbr debian-minimal
  ELEMENTS_PATH=./elements element-info --env debian-minimal my-element
  eval "$(element-info --env debian-minimal)" && get_image_element_array
`;

await runCommand(async () => {
  const command = new Command('element-info')
    .description('Print the elements that ELEMENT... stand for, dependencies first')
    .argument('<element...>', 'elements to start from')
    .option('-e, --env', 'print bash text that defines what hooks see instead')
    .version(packageVersion(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES);
  if (parseArguments(command, process.argv.slice(2)) === 'done') {
    return 0;
  }
  const catalogue = await openCatalogue(
    parseElementsPath(process.env.ELEMENTS_PATH, builtinElements),
  );
  for (const override of catalogue.overrides) {
    process.stderr.write(`WARNING: ${describeOverride(override)}\n`);
  }
  const elements = resolveElements(command.args, catalogue);
  const names = elements.map(({ name }) => name).join(' ');
  process.stdout.write(command.opts().env ? elementShellText(elements) : `${names}\n`);
  return 0;
});
