/** `migration-update build`: the container image of the service, with disk-image-create. */
import { Command } from 'commander';
import { DEFAULT_IMAGE } from '../../migration/container/commands.ts';
import { planBuild, wantsBase } from '../../plan/plan-build.ts';
import { buildImage } from '../build-image.ts';
import { BuildSite } from '../engine-process.ts';
import { hostFacts, ownEnvironment } from '../host-facts.ts';
import { parseImageCommandLine } from '../image-command-line.ts';
import { packageVersion } from '../package-paths.ts';

const DETAILS = `
Runs: disk-image-create -t docker -o ${DEFAULT_IMAGE} --docker-target ${DEFAULT_IMAGE}
    [OPTION]... migration-update openeuler

OPTION is one of disk-image-create, such as -o NAME, --docker-target NAME, --offline, --no-tmpfs. The
image is loaded into docker if that runs. Else, and for podman and nerdctl, load the archive yourself:
    podman load --input ${DEFAULT_IMAGE}.docker

Examples:
  migration-update build
  DIB_DISTRIBUTION_MIRROR=https://mirror.example/openeuler migration-update build --offline

Variables of the elements, such as DIB_DISTRIBUTION_MIRROR, are described in docs/migration-update.md.
`;

const ELEMENTS = ['migration-update', 'openeuler'];

/** The status is disk-image-create's. */
export async function buildCommand(argv: readonly string[]): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    const command = new Command('migration-update build')
      .description('Builds the container image of the service.')
      .usage('[OPTION]... [ELEMENT]...')
      .helpOption(false)
      .addHelpText('after', DETAILS);
    process.stdout.write(command.helpInformation() + DETAILS);
    return 0;
  }
  // What is given again later wins.
  const names = ['-o', DEFAULT_IMAGE, '--docker-target', DEFAULT_IMAGE];
  const words = ['-t', 'docker', ...names, ...argv, ...ELEMENTS];
  const line = parseImageCommandLine(words, packageVersion());
  if (line === undefined) {
    return 0;
  }
  const { elements, options } = line;
  const environment = ownEnvironment();
  const plan = planBuild({ elements, options, argv: words, environment, host: hostFacts() });
  await using site = new BuildSite(plan);
  return await buildImage({ plan, site, skipBase: !wantsBase(options) });
}
