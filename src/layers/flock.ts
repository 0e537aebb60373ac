/**
 * Locks that the kernel takes back when their holder dies, in whatever way: flock(2) on a descriptor
 * of ours. The tool locks the open file that we share with it; closing our descriptor releases it.
 *
 * Only for one machine: a layer store lies on a local file system, because an overlay's upper has to.
 */
import { open } from 'node:fs/promises';
import type { Context } from '../events/event.ts';
import { Failed } from '../events/failure.ts';
import { start, statusOf } from '../sandbox/process.ts';

export type FlockMode = 'shared' | 'exclusive';

/** Locks `file`, which is made in a directory that exists; undefined when somebody has it and `wait` is false. */
export async function takeFlock(
  file: string,
  how: { readonly mode: FlockMode; readonly wait: boolean },
  context: Context,
): Promise<AsyncDisposable | undefined> {
  const handle = await open(file, 'a', 0o600);
  const argv: [string, ...string[]] = [
    'flock',
    `--${how.mode}`,
    ...(how.wait ? [] : ['--nonblock']),
    '3',
  ];
  const command = {
    argv,
    env: context.toolEnvironment,
    output: 'nothing' as const,
    extra: [{ fd: handle.fd }],
    graceMs: 100,
  };
  const status = statusOf(await start(command, context.signal).exit);
  if (status === 0) {
    return { [Symbol.asyncDispose]: () => handle.close() };
  }
  await handle.close();
  context.signal.throwIfAborted();
  if (status === 1 && !how.wait) {
    return undefined;
  }
  throw new Failed({
    kind: 'tool',
    message: `Cannot lock '${file}': flock ended with status ${status}`,
    argv,
    status,
    lastLines: [],
    hint: 'Point --image-cache at a local file system, or build with --no-cache',
  });
}
