/** From argv to a prepared build, for the verbs that look at a build without running it. */
import { type Preparation, prepareBuild } from '../phases/prepare.ts';
import { planBuild, wantsBase } from '../plan/plan-build.ts';
import { neededPrivilege } from '../sandbox/user-namespace.ts';
import { hostFacts, ownEnvironment } from './host-facts.ts';
import { parseImageCommandLine } from './image-command-line.ts';
import { packageVersion } from './package-paths.ts';

/** Whether help of the verb itself is asked for, and not something of an element of that name. */
export function wantsHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  return words.includes('--help') || words.includes('-h');
}

/**
 * The preparation; undefined when help was printed. With `--ramdisk` it is that of ramdisk-image-create.
 * Warnings go to standard error. @throws Failed
 */
export async function prepareFromArgv(words: readonly string[]): Promise<Preparation | undefined> {
  const command = words.includes('--ramdisk') ? 'ramdisk-image-create' : 'disk-image-create';
  const argv = words.filter((word) => word !== '--ramdisk');
  const line = parseImageCommandLine(argv, packageVersion(), command);
  if (line === undefined) {
    return undefined;
  }
  const { elements, options } = line;
  const environment = ownEnvironment();
  const plan = planBuild({ command, elements, options, argv, environment, host: hostFacts() });
  const how = { skipBase: !wantsBase(options), privilege: neededPrivilege() };
  return prepareBuild(plan, how, (event) => {
    if (event.kind === 'message' && event.level === 'warning') {
      process.stderr.write(`WARNING: ${event.text}\n`);
    }
  });
}
