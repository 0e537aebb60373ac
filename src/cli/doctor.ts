/** `dibkit doctor`: what the host lacks for a build, and what to do about it. */
import { ID_TOOLS_ARE_FOR, installCommand, type Requirement } from '../phases/requirements.ts';
import { hostPackageFamily, toolPath } from '../sandbox/host-tools.ts';
import type { Privilege } from '../sandbox/namespace.ts';
import type { Refusal } from '../sandbox/namespace-refusal.ts';
import { findRefusal, neededPrivilege } from '../sandbox/user-namespace.ts';
import { toolEnvironment } from './host-facts.ts';
import { prepareFromArgv } from './prepare-command.ts';

/** Status 0: the build can run here; 3: the host lacks something. */
export async function doctor(argv: readonly string[]): Promise<number> {
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
      : [...refusal.remedy.split('\n'), 'Or run the build as root, for example with sudo -E']),
  ];
}
