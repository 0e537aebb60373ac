/** Hands an image to a Docker that runs. */
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import { runTool } from '../sandbox/process.ts';

/** What decides which Docker is meant. Source: docker(1), "Environment variables". */
const DOCKER_VARIABLES = [
  'DOCKER_API_VERSION',
  'DOCKER_CERT_PATH',
  'DOCKER_CONFIG',
  'DOCKER_CONTEXT',
  'DOCKER_HOST',
  'DOCKER_TLS',
  'DOCKER_TLS_VERIFY',
  'XDG_RUNTIME_DIR',
];

export interface LoadRequest {
  /** A docker-save archive, as the user knows it: relative to `cwd`. */
  readonly shown: string;
  readonly cwd: string;
  /** The name that is in it. */
  readonly name: string;
  /** The user's, for what says which Docker is meant. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Loads the image; where no Docker answers it says so, and the archive is what there is.
 *
 * @throws Failed `tool` when Docker runs and does not take the image
 */
export async function loadIntoDocker(request: LoadRequest, context: Context): Promise<void> {
  const { shown, name } = request;
  const env = Object.fromEntries(
    DOCKER_VARIABLES.flatMap((variable) => {
      const value = request.environment[variable];
      return value === undefined ? [] : [[variable, value]];
    }),
  );
  const silence = await whyNoDocker(env, context);
  if (silence !== undefined) {
    const text = `No Docker to load '${name}' into (${silence}); to do it later: docker load --input ${shown}`;
    context.emit({ kind: 'message', level: 'warning', text });
    return;
  }
  await runTool(['docker', 'load', '--quiet', '--input', shown], context, {
    env,
    cwd: request.cwd,
    hint: `The archive is complete: ${shown}`,
  });
}

/** A server that is stuck must not keep a build that is done. */
const ANSWER_MS = 60_000;

/** Undefined when a server answers. */
async function whyNoDocker(
  env: Readonly<Record<string, string>>,
  context: Context,
): Promise<string | undefined> {
  const patience = AbortSignal.timeout(ANSWER_MS);
  const asking = { ...context, signal: AbortSignal.any([context.signal, patience]) };
  try {
    await runTool(['docker', 'version', '--format', '{{.Server.Version}}'], asking, {
      env,
      announce: false,
    });
    return undefined;
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof Failed && error.failure.kind === 'host') {
      return 'the program docker is not installed';
    }
    if (error instanceof Failed && error.failure.kind === 'tool') {
      return error.failure.lastLines.at(-1) ?? 'the server does not answer';
    }
    throw error;
  }
}
