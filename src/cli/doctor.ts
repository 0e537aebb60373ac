/** `dibkit doctor`: what the host lacks for a build, and what to do about it. */
import { Command } from 'commander';
import { ID_TOOLS_ARE_FOR, installCommand, type Requirement } from '../phases/requirements.ts';
import { hostPackageFamily, toolPath } from '../sandbox/host-tools.ts';
import type { Privilege } from '../sandbox/namespace.ts';
import type { Refusal } from '../sandbox/namespace-refusal.ts';
import { findRefusal, neededPrivilege } from '../sandbox/user-namespace.ts';
import { toolEnvironment } from './host-facts.ts';
import { prepareFromArgv, wantsHelp } from './prepare-command.ts';

const DETAILS = `
ELEMENT and OPTION are those of disk-image-create, and so are the variables: what a build needs depends on
them. Elements say in host-tools.yaml what their hooks need.

Examples:
  dibkit doctor vm debian-minimal
      what that build needs, what this host lacks of it, and the command that installs it
  dibkit doctor -t qcow2,squashfs vm debian-minimal
      the same for other formats
  dibkit doctor --ramdisk debian-minimal
      the same for ramdisk-image-create

Exit codes: 0 the host has it all, 2 usage or configuration, 3 it lacks something
`;

/** Status 0: the build can run here; 3: the host lacks something. */
export async function doctor(argv: readonly string[]): Promise<number> {
  if (wantsHelp(argv)) {
    const command = new Command('dibkit doctor')
      .description('Says what this host lacks for a build, and runs nothing.')
      .usage('[OPTION]... ELEMENT...')
      .option('--ramdisk', 'of ramdisk-image-create')
      .helpOption('-h, --help', 'print this help')
      .addHelpText('after', DETAILS);
    command.outputHelp();
    return 0;
  }
  const preparation = await prepareFromArgv(argv);
  if (preparation === undefined) {
    return 0;
  }
  const { requirements, missing, build } = preparation;
  const environment = toolEnvironment(toolPath(build.plan.environment.PATH));
  const privilege = neededPrivilege();
  // Without its tools no namespace can be made, and that they are missing is said already.
  const tried = privilege === 'root' || missing.every(({ why }) => why !== ID_TOOLS_ARE_FOR);
  const refusal = privilege === 'root' || !tried ? undefined : await findRefusal(environment);
  const lines = [
    ...requirements.map((need) => line(!missing.includes(need), need)),
    ...(tried ? [privilegeLine(privilege, refusal)] : []),
    ...remedies(missing, refusal, installCommand(missing, await hostPackageFamily())),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return missing.length === 0 && refusal === undefined ? 0 : 3;
}

function line(met: boolean, { tools, why }: Requirement): string {
  return `${mark(met)} ${tools.join(' or ')} (${why})`;
}

function privilegeLine(privilege: Privilege, refusal: Refusal | undefined): string {
  return privilege === 'root'
    ? `${mark(true)} root privileges (hooks run as root in a chroot)`
    : `${mark(refusal === undefined)} a user namespace in which this user is root (${
        refusal?.reason ?? 'hooks run as root in a chroot'
      })`;
}

function mark(met: boolean): string {
  return met ? 'ok     ' : 'MISSING';
}

function remedies(
  missing: readonly Requirement[],
  refusal: Refusal | undefined,
  command: string | undefined,
): readonly string[] {
  if (missing.length === 0 && refusal === undefined) {
    return ['', 'This host has what the build needs'];
  }
  return [
    '',
    ...(missing.length > 0 ? [`As root: ${command ?? 'install what is missing'}`] : []),
    ...(refusal === undefined
      ? []
      : [
          ...refusal.remedy.split('\n'),
          ...(process.geteuid?.() === 0
            ? []
            : ['Or run the build as root, for example with sudo -E']),
        ]),
  ];
}
