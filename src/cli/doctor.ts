/** `dibkit doctor`: what the host lacks for a build, and what to do about it. */
import { installCommand, type Requirement } from '../phases/requirements.ts';
import { hostPackageFamily } from '../sandbox/host-tools.ts';
import { prepareFromArgv } from './prepare-command.ts';

/** Status 0: the build can run here; 3: the host lacks something. */
export async function doctor(argv: readonly string[]): Promise<number> {
  const preparation = await prepareFromArgv(argv);
  if (preparation === undefined) {
    return 0;
  }
  const { requirements, missing } = preparation;
  const root = process.geteuid?.() === 0;
  const lines = [
    ...requirements.map((need) => line(!missing.includes(need), need)),
    `${mark(root)} root privileges (hooks run as root in a chroot)`,
    ...remedies(missing, root, installCommand(missing, await hostPackageFamily())),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return missing.length === 0 && root ? 0 : 3;
}

function line(met: boolean, { tools, why }: Requirement): string {
  return `${mark(met)} ${tools.join(' or ')} (${why})`;
}

function mark(met: boolean): string {
  return met ? 'ok     ' : 'MISSING';
}

function remedies(
  missing: readonly Requirement[],
  root: boolean,
  command: string | undefined,
): readonly string[] {
  if (missing.length === 0 && root) {
    return ['', 'This host has what the build needs'];
  }
  return [
    '',
    ...(missing.length > 0 ? [`As root: ${command ?? 'install what is missing'}`] : []),
    ...(root ? [] : ['Run the build as root, for example with sudo -E']),
  ];
}
