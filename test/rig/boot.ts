/**
 * Boots a disk image in QEMU and talks to it over its serial console and ssh.
 *
 * The image is never written to. The machine dies with us (PR_SET_PDEATHSIG), and when disposed of.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { Console } from './console.ts';

export interface BootOptions {
  /** qcow2 unless the name says raw. */
  readonly format?: string;
  /** Default 512. */
  readonly memoryMiB?: number;
  /** For every wait that does not say otherwise. Default 240 s: there may be no KVM. */
  readonly timeoutMs?: number;
  /** More arguments for QEMU, for example a firmware. */
  readonly args?: readonly string[];
  /** Called with everything that the console says. */
  readonly onConsole?: (text: string) => void;
}

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Machine extends AsyncDisposable {
  /** On 127.0.0.1, leads to port 22 of the guest. Rejects when the machine has ended. */
  sshPort(): Promise<number>;
  /** What the console has said so far. */
  readonly console: string;
  /** Resolves with what the console said up to the match; each text is matched once. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Resolves with what the console said up to the prompt that getty prints. */
  waitForLogin(timeoutMs?: number): Promise<string>;
  /** Runs a shell command as `user` with a private key; waits until the guest's sshd answers. */
  ssh(login: { user: string; key: string }, command: string): Promise<CommandResult>;
}

const DEFAULT_TIMEOUT_MS = 240_000;

/** The prompt that getty prints, at the end of what there is. */
const LOGIN_PROMPT = /\S+ login: $/;

/** A console that says nothing for as long is asked for its prompt again. */
const SILENCE_MS = 5000;

/**
 * The guest's time is ours: systemd waits 90 s for the device of a serial console, and without it there is no login
 * prompt. Beside ten other jobs that was too short. Three times the share of others is enough, and leaves them theirs.
 */
const BEFORE_OTHERS = ['nice', '-n', '-5'];

/** Starts the machine; `await machine.waitForLogin()` is next. */
export async function boot(image: string, options: BootOptions = {}): Promise<Machine> {
  return start(image, options);
}

/** What starts without a disk. */
export interface KernelBoot extends BootOptions {
  readonly initrd: string;
  /** The kernel's command line. */
  readonly append: string;
}

/** Starts a kernel with its initramfs, as QEMU loads them itself. */
export async function bootKernel(kernel: string, options: KernelBoot): Promise<Machine> {
  const { initrd, append, args = [] } = options;
  const loaded = ['-kernel', kernel, '-initrd', initrd, '-append', append];
  return start(undefined, { ...options, args: [...loaded, ...args] });
}

async function start(image: string | undefined, options: BootOptions): Promise<Machine> {
  const argv = [...BEFORE_OTHERS, 'setpriv', '--pdeathsig', 'KILL', ...qemuArgv(image, options)];
  const [file = '', ...args] = argv;
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
  return new QemuMachine(child as ChildProcessWithoutNullStreams, options);
}

/**
 * The command line of the machine. Always emulated: a /dev/kvm may exist and not work. Its monitor is on descriptor
 * 3. Which port leads to the guest is QEMU's choice: one that we had found free could be somebody else's by then.
 */
export function qemuArgv(image: string | undefined, options: BootOptions): string[] {
  return [
    'qemu-system-x86_64',
    ...['-machine', 'accel=tcg', '-m', String(options.memoryMiB ?? 512)],
    ...['-display', 'none', '-serial', 'stdio', '-no-reboot'],
    ...['-chardev', 'socket,id=monitor,fd=3', '-mon', 'chardev=monitor,mode=readline'],
    ...(image === undefined ? [] : ['-drive', driveOf(image, options)]),
    ...['-nic', 'user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:0-:22'],
    // Without it a fresh system waits for entropy before it makes its ssh keys.
    ...['-device', 'virtio-rng-pci'],
    ...(options.args ?? []),
  ];
}

function driveOf(image: string, options: BootOptions): string {
  const format = options.format ?? (image.endsWith('.raw') ? 'raw' : 'qcow2');
  // A comma in a file name is doubled. Source: qemu(1), -drive.
  const file = image.replaceAll(',', ',,');
  return `file=${file},format=${format},if=virtio,snapshot=on`;
}

class QemuMachine implements Machine {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #monitor: Duplex;
  readonly #console = new Console();
  readonly #closed: Promise<unknown>;
  readonly #timeoutMs: number;
  #port: Promise<number> | undefined;
  #errors = '';

  constructor(child: ChildProcessWithoutNullStreams, options: BootOptions) {
    this.#child = child;
    this.#monitor = child.stdio[3] as Duplex;
    this.#monitor.on('error', () => {}).setEncoding('utf8');
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#closed = once(child, 'close').catch((error: Error) => {
      this.#errors += error.message;
    });
    child.stdin.on('error', () => {});
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#console.append(text);
      options.onConsole?.(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  get console(): string {
    return this.#console.text;
  }

  async waitFor(pattern: RegExp, timeoutMs: number = this.#timeoutMs): Promise<string> {
    const waited = new AbortController();
    try {
      const outcome = await Promise.race([
        this.#console.next(pattern).then((text) => ({ text })),
        this.#hadItsTime(timeoutMs, waited.signal).then(
          () => `it did not come within ${timeoutMs / 1000} s`,
        ),
        this.#closed.then(() => `the machine ended. ${this.#errors}`),
      ]);
      if (typeof outcome === 'object') {
        return outcome.text;
      }
      throw new Error(
        `Cannot see ${pattern} on the console: ${outcome}\n` +
          `Its last lines:\n${this.#console.lastLines(25)}`,
      );
    } finally {
      waited.abort();
      this.#console.forget();
    }
  }

  /**
   * Resolves when the machine has had so much time. Emulated, it needs a processor of ours: one that others have
   * kept from running for half of the time, or that does nothing, gets as much again, twice.
   */
  async #hadItsTime(timeoutMs: number, signal: AbortSignal): Promise<void> {
    for (let tries = 0; tries < 3; tries += 1) {
      const before = processorMs(this.#child.pid);
      await sleep(timeoutMs, undefined, { signal }).catch(() => {});
      if (signal.aborted || processorMs(this.#child.pid) - before > timeoutMs / 2) {
        return;
      }
    }
  }

  /**
   * What the kernel has to say may land in the middle of the prompt. Getty prints it anew when it is
   * sent an empty name, and a machine that is still starting takes no notice of it.
   */
  async waitForLogin(timeoutMs?: number): Promise<string> {
    let seen = 0;
    const enter = setInterval(() => {
      const { length } = this.#console.text;
      if (length === seen) {
        this.#child.stdin.write('\n');
      }
      seen = length;
    }, SILENCE_MS);
    try {
      return await this.waitFor(LOGIN_PROMPT, timeoutMs);
    } finally {
      clearInterval(enter);
    }
  }

  sshPort(): Promise<number> {
    this.#port ??= this.#askForPort();
    return this.#port;
  }

  async #askForPort(): Promise<number> {
    this.#monitor.write('info usernet\n');
    let said = '';
    for await (const text of this.#monitor) {
      said += text;
      const [, port] = /HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s/.exec(said) ?? [];
      if (port !== undefined) {
        return Number(port);
      }
    }
    throw new Error(`The machine ended before it named its port. ${this.#errors}`);
  }

  async ssh(login: { user: string; key: string }, command: string): Promise<CommandResult> {
    const deadline = Date.now() + this.#timeoutMs;
    const port = await this.sshPort();
    for (;;) {
      const result = await runSsh(port, login, command);
      // 255 is ssh's own: no connection yet. Source: ssh(1), EXIT STATUS.
      if (result.status !== 255 || /Permission denied/.test(result.stderr)) {
        return result;
      }
      if (Date.now() > deadline || this.#child.exitCode !== null) {
        throw new Error(`Cannot reach the guest by ssh: ${result.stderr.trim()}`);
      }
      // A guest that is still booting refuses at once.
      await sleep(1000);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }
}

/** One try; QEMU accepts at once, so ConnectTimeout covers a guest that does not answer. */
async function runSsh(
  port: number,
  login: { user: string; key: string },
  command: string,
): Promise<CommandResult> {
  const options = ['BatchMode=yes', 'ConnectTimeout=20', 'IdentitiesOnly=yes'];
  const host = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const args = [
    ...['-F', 'none', '-i', login.key, '-p', String(port)],
    ...[...options, ...host].flatMap((option) => ['-o', option]),
    ...[`${login.user}@127.0.0.1`, command],
  ];
  const child = spawn('ssh', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [status] = await once(child, 'close');
  return { status: typeof status === 'number' ? status : 255, stdout, stderr };
}

/** What a process and its threads have used of processors; 0 when it is gone. Source: proc(5), stat, in ticks of 10 ms. */
function processorMs(pid: number | undefined): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}
