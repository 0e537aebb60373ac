/** The hooks of a phase, and what its elements say of the world outside, from the hook tree as it is now. */
import path from 'node:path';
import type { Context } from '../events/event.ts';
import { listEntries } from '../run-parts/list.ts';
import { selectHooks } from '../run-parts/select.ts';
import { type EnvironmentRequest, phaseEnvironment } from './environment.ts';
import { type Fingerprint, readFingerprint } from './fingerprints.ts';
import { PHASES, type Phase } from './table.ts';

/** The hooks of a phase as they are in the hook tree now, in run order. */
export async function hooksOf(
  phase: Phase,
  environment: EnvironmentRequest,
): Promise<readonly string[]> {
  const env = phaseEnvironment(environment, phase);
  const folder = path.join(environment.paths.hooksDir, `${phase.name}.d`);
  return selectHooks(listEntries(folder), env.RUN_PARTS_REGEX).run;
}

/** What `fingerprint.d` says of a phase. @throws Failed `hook`. */
export function askFingerprint(
  phase: Phase,
  environment: EnvironmentRequest,
  context: Context,
): Promise<Fingerprint> {
  const { paths, plan } = environment;
  const env = phaseEnvironment(environment, PHASES[0] ?? phase);
  const { hooksDir } = paths;
  return readFingerprint({ phase: phase.name, hooksDir, env, cwd: plan.image.cwd }, context);
}
