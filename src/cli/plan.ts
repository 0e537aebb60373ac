/** `dibkit plan`: the whole build as text or JSON. */
import { Command } from 'commander';
import { outlineOf, renderOutline } from '../phases/render-plan.ts';
import { prepareFromArgv, wantsHelp } from './prepare-command.ts';

const DETAILS = `
ELEMENT and OPTION are those of disk-image-create, and so are the variables. Everything that can be known
before a build is looked at as the build itself would look at it, mistakes included.

Examples:
  dibkit plan vm debian-minimal
      elements and who needs them, hooks by phase, the layout of the disk, the tools that are needed
  dibkit plan --image-size 2 vm debian-minimal
      with the places of the partitions, which depend on the size
  dibkit plan --json -t qcow2,tar vm debian-minimal | jq .phases

Exit codes: 0 done, 2 usage or configuration, 3 the host lacks something
`;

export async function plan(argv: readonly string[]): Promise<number> {
  if (wantsHelp(argv)) {
    const command = new Command('dibkit plan')
      .description('Shows the whole build, and runs nothing.')
      .usage('[--json] [OPTION]... ELEMENT...')
      .option('--json', 'as JSON')
      .option('--ramdisk', 'of ramdisk-image-create')
      .helpOption('-h, --help', 'print this help')
      .addHelpText('after', DETAILS);
    command.outputHelp();
    return 0;
  }
  const json = argv.includes('--json');
  const preparation = await prepareFromArgv(argv.filter((word) => word !== '--json'));
  if (preparation === undefined) {
    return 0;
  }
  const outline = outlineOf(preparation);
  const text = json ? JSON.stringify(outline, null, 2) : renderOutline(outline).join('\n');
  process.stdout.write(`${text}\n`);
  return 0;
}
