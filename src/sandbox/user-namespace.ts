/**
 * Root without root: an ordinary user is root of a user namespace, in which the ids of an image are
 * ids from the user's range in /etc/subuid. What is written there as 0 belongs to the user.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { hostError } from '../events/failure.ts';
import { namespaceArgv, type Privilege } from './namespace.ts';
import {
  describeRefusal,
  explainRefusal,
  mayMount,
  type NamespaceFacts,
  type Refusal,
} from './namespace-refusal.ts';
import { eachLine, start } from './process.ts';

/** What a build here needs: nothing when we are root and may mount, else a namespace. */
export function neededPrivilege(): Privilege {
  return process.geteuid?.() === 0 && mayMount(readFileSync('/proc/self/status', 'utf8'), 'CapEff')
    ? 'root'
    : 'user-namespace';
}

/** Whether /proc/self/uid_map is that of a user namespace, as opposed to the host's own. Pure. */
export function isNamespaceMap(uidMap: string): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
}

/**
 * Whether we are in a user namespace, ours or a container's: no device nodes can be made, mounts
 * from outside stay together, overlays keep their marks in `user.*` attributes.
 */
export function inUserNamespace(): boolean {
  return isNamespaceMap(readFileSync('/proc/self/uid_map', 'utf8'));
}

/** A namespace takes some 20 ms to make; tools that wait for each other would wait for ever. */
const PATIENCE_MS = 20_000;

/** An id that images have, and that a short range leaves out. */
const AS_NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];

/** Why no namespace can be made here; undefined when one could. */
export async function findRefusal(
  env: Readonly<Record<string, string>>,
): Promise<Refusal | undefined> {
  // First without ids: where the kernel refuses that, unshare's helper for --map-auto stays behind
  // and waits for ever (measured with util-linux 2.38).
  for (const argv of [
    ['unshare', '--user', 'true'] as const,
    namespaceArgv([...AS_NOBODY, 'true'], 'user-namespace'),
  ]) {
    const said = await sayingOf(argv, env);
    if (said !== undefined) {
      return explainRefusal(await gatherFacts(said));
    }
  }
  return undefined;
}

/** What a command that failed said; undefined when it succeeded. */
async function sayingOf(
  argv: readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
): Promise<readonly string[] | undefined> {
  const said: string[] = [];
  const running = start({ argv, env, output: 'lines' }, AbortSignal.timeout(PATIENCE_MS));
  const [exit] = await Promise.all([
    running.exit,
    eachLine(running.all, (line) => {
      said.push(line);
    }),
  ]);
  return exit.kind === 'code' && exit.code === 0 ? undefined : said;
}

/** `what`: for what one is needed. @throws Failed `host` with what the administrator has to do. */
export async function assertNamespace(
  env: Readonly<Record<string, string>>,
  what = 'build an image',
): Promise<void> {
  const refusal = await findRefusal(env);
  if (refusal !== undefined) {
    const { message, hint } = describeRefusal(refusal, { what, uid: process.geteuid?.() ?? 0 });
    throw hostError(message, hint);
  }
}

async function gatherFacts(said: readonly string[]): Promise<NamespaceFacts> {
  const uid = process.geteuid?.() ?? 0;
  const [subuid, subgid, status, max, clone, apparmor] = await Promise.all([
    text('/etc/subuid'),
    text('/etc/subgid'),
    text('/proc/self/status'),
    setting('user/max_user_namespaces'),
    setting('kernel/unprivileged_userns_clone'),
    setting('kernel/apparmor_restrict_unprivileged_userns'),
  ]);
  return {
    user: userName(uid),
    uid,
    subuid,
    subgid,
    status,
    said,
    ...(max === undefined ? {} : { maxUserNamespaces: max }),
    ...(clone === undefined ? {} : { unprivilegedClone: clone }),
    ...(apparmor === undefined ? {} : { apparmorRestricts: apparmor }),
  };
}

function text(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}

async function setting(name: string): Promise<number | undefined> {
  const value = (await text(`/proc/sys/${name}`)).trim();
  return value === '' ? undefined : Number(value);
}

/** Containers run as numbers that have no name. */
function userName(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    return String(uid);
  }
}
