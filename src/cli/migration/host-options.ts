/** What the verbs for the host share: which runtime, which container. */
import type { Command } from 'commander';
import type { Context } from '../../events/event.ts';
import { usageError } from '../../events/failure.ts';
import {
  DEFAULT_CONTAINER,
  RUNTIMES,
  type RuntimeName,
} from '../../migration/container/commands.ts';
import { chooseRuntime } from '../../migration/container/runtime.ts';
import { ownEnvironment, toolEnvironment } from '../host-facts.ts';

export interface HostOptions {
  readonly runtime?: string;
  readonly name: string;
}

export function withHostOptions(command: Command): Command {
  return command
    .option('--runtime <name>', `${RUNTIMES.join(', ')} (the first that is installed)`)
    .option('--name <name>', 'the container', DEFAULT_CONTAINER);
}

/** What tells the clients of the runtimes where their service is, and who we are to it. */
const CLIENT_VARIABLES = /^(DOCKER_|CONTAINER|BUILDAH_|NERDCTL_|REGISTRY_AUTH_FILE$|XDG_)/;

/** The environment of the runtime's client. */
export function clientEnvironment(): Readonly<Record<string, string>> {
  const own = ownEnvironment();
  const kept = Object.entries(own).filter(([name]) => CLIENT_VARIABLES.test(name));
  return { ...toolEnvironment(searchPath()), ...Object.fromEntries(kept) };
}

export function searchPath(): string {
  return ownEnvironment().PATH ?? '/usr/local/bin:/usr/bin:/bin';
}

/** @throws Failed `usage` for a runtime that is none of them, `host` when it is not installed. */
export async function runtimeOf(options: HostOptions): Promise<RuntimeName> {
  return await chooseRuntime(wantedRuntime(options), searchPath());
}

export function wantedRuntime({ runtime }: HostOptions): RuntimeName | undefined {
  const known = RUNTIMES.find((name) => name === runtime);
  if (runtime !== undefined && known === undefined) {
    throw usageError(`Unknown runtime '${runtime}' (--runtime)`, `One of: ${RUNTIMES.join(', ')}`);
  }
  return known;
}

export function hostContext(signal: AbortSignal): Context {
  return { emit: () => {}, signal, toolEnvironment: clientEnvironment() };
}
