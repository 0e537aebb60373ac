/** From argv to a prepared build, for the verbs that look at a build without running it. */
import { type Preparation, prepareBuild } from '../phases/prepare.ts';
import { planBuild, wantsBase } from '../plan/plan-build.ts';
import { neededPrivilege } from '../sandbox/user-namespace.ts';
import { hostFacts, ownEnvironment } from './host-facts.ts';
import { parseImageCommandLine } from './image-command-line.ts';
import { packageVersion } from './package-paths.ts';

/** The preparation; undefined when help was printed. Warnings go to standard error. @throws Failed */
export async function prepareFromArgv(argv: readonly string[]): Promise<Preparation | undefined> {
  const line = parseImageCommandLine(argv, packageVersion());
  if (line === undefined) {
    return undefined;
  }
  const { elements, options } = line;
  const environment = ownEnvironment();
  const plan = planBuild({ elements, options, argv, environment, host: hostFacts() });
  const how = { skipBase: !wantsBase(options), privilege: neededPrivilege() };
  return prepareBuild(plan, how, (event) => {
    if (event.kind === 'message' && event.level === 'warning') {
      process.stderr.write(`WARNING: ${event.text}\n`);
    }
  });
}
