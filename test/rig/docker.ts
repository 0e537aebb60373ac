/**
 * A Docker of a test's own: Debian's dockerd in mount and PID namespaces of its own, on a socket and a
 * data directory in a temporary directory, without bridge and firewall rules. When its first process
 * ends, the kernel ends everything in there and takes the mounts down; that happens with the process
 * of the test, too.
 *
 *     await using docker = await openDocker();
 *     docker.run(['load', '--input', file]);
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** By path: a machine may have another `docker` in front, which is a client only. */
const CLIENT = '/usr/bin/docker';

export interface Docker extends AsyncDisposable {
  /** For `DOCKER_HOST`. */
  readonly host: string;
  /** Runs the client and returns what it printed; a status other than 0 is an assertion error. */
  run(args: readonly string[]): string;
  /** Ends it; may be called twice. */
  close(): Promise<void>;
}

/** Starts a Docker; resolves when it listens. Needs root, dockerd and cgroups. */
export async function openDocker(): Promise<Docker> {
  // Short, because the path of a socket must be.
  const dir = mkdtempSync('/tmp/dibkit-docker-');
  const host = `unix://${dir}/socket`;
  const cgroup = path.basename(dir);
  const child = start(dir, host, cgroup);
  const close = async (): Promise<void> => {
    await stop(child);
    await removeGroups(cgroup);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await listening(child);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    host,
    run: (args) => client(host, args),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function start(dir: string, host: string, cgroup: string): ChildProcess {
  const daemon = [
    ...['dockerd', '--host', host, '--data-root', `${dir}/data`, '--exec-root', `${dir}/exec`],
    ...['--pidfile', `${dir}/pid`, '--cgroup-parent', `/${cgroup}`],
    ...['--bridge', 'none', '--iptables=false', '--ip6tables=false', '--ip-masq=false'],
  ];
  // dockerd keeps a key of the machine in /etc/docker: not in this machine's.
  const script = 'mkdir -p /etc/docker && mount -t tmpfs tmpfs /etc/docker && exec "$@" & wait $!';
  const cell = [
    ...['setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private'],
    ...['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script, 'sh'],
  ];
  const [file = '', ...args] = [...cell, ...daemon];
  return spawn(file, args, {
    env: { PATH: '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: dir, TMPDIR: '/tmp' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

/** Resolves when the daemon says that it listens; what it said before is told when it ends instead. */
async function listening(child: ChildProcess): Promise<void> {
  const said: string[] = [];
  assert.ok(child.stderr);
  const lines = createInterface({ input: child.stderr });
  for await (const line of lines) {
    said.push(line);
    if (line.includes('API listen on')) {
      // Read on: a daemon whose pipe is full stands still.
      child.stderr.resume();
      return;
    }
  }
  throw new Error(`dockerd has ended:\n${said.slice(-20).join('\n')}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

/** The groups of containers, which no namespace takes away. */
async function removeGroups(name: string): Promise<void> {
  const mounted = await readdir('/sys/fs/cgroup').catch(() => []);
  for (const hierarchy of ['', ...mounted]) {
    const group = path.join('/sys/fs/cgroup', hierarchy, name);
    for (const below of await readdir(group, { withFileTypes: true }).catch(() => [])) {
      if (below.isDirectory()) {
        await removeGroup(path.join(group, below.name));
      }
    }
    await removeGroup(group);
  }
}

/** A group is busy for a moment after its last process was killed. */
async function removeGroup(group: string): Promise<void> {
  for (let tries = 50; tries > 0; tries -= 1) {
    const code = await rmdir(group).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error.code,
    );
    if (code !== 'EBUSY') {
      return;
    }
    await sleep(100);
  }
}

function client(host: string, args: readonly string[]): string {
  const [file, ...rest] = [CLIENT, '--host', host, ...args];
  const result = spawnSync(file, rest, { encoding: 'utf8', timeout: 120_000 });
  assert.equal(result.status, 0, `docker ${args.join(' ')}: ${result.stderr}${result.error ?? ''}`);
  return result.stdout;
}
