/**
 * A directory of its own in which a test runs our real commands on elements that it writes, and
 * which asserts at its end that they left nothing behind.
 *
 *     await using rig = await openRig();
 *     await rig.element('hello', { 'install.d/10-hello': hook('echo hello') });
 *     const result = await rig.run('disk-image-create', ['-n', 'tiny', 'hello']);
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildEvent } from '../../src/events/event.ts';
import { EventFile } from './event-file.ts';
import { leaksOf } from './leaks.ts';

/** A file of an element: text, or text with a mode. */
export type ElementFile = string | { readonly text: string; readonly mode: number };

export interface RunOptions {
  /** Added to a clean environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Runs the command through another one, for example `['setpriv', '--reuid', 'nobody']`. */
  readonly through?: readonly string[];
}

export interface Result {
  /** Undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly events: readonly BuildEvent[];
}

export interface Started {
  readonly pid: number;
  readonly exit: Promise<Result>;
  /** Resolves with the first event, past or future, that `test` accepts. Rejects when the command ends before. */
  event(test: (event: BuildEvent) => boolean): Promise<BuildEvent>;
}

const ROOT = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const BUILTIN_ELEMENTS = path.join(ROOT, 'elements');
const RIG_ELEMENTS = path.join(ROOT, 'test/rig/elements');

/** Commands that take `--events`. */
const WITH_EVENTS = new Set(['disk-image-create', 'ramdisk-image-create']);

/** How long the kernel and the reaper may take to clean up after a kill. */
const SETTLE_MS = 20_000;

/** Opens a rig. The temporary directory of what it runs is `rig.tmp`. */
export async function openRig(): Promise<Rig> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'dibkit-rig-'));
  const rig = new Rig(dir);
  await Promise.all(
    [rig.tmp, rig.elements, rig.out, rig.cache, rig.home].map((each) => mkdir(each)),
  );
  return rig;
}

/** A hook: bash with our usual first lines, executable. */
export function hook(body: string): ElementFile {
  return { text: `#!/bin/bash\nset -eu\nset -o pipefail\n${body}\n`, mode: 0o755 };
}

export class Rig implements AsyncDisposable {
  readonly dir: string;
  readonly tmp: string;
  readonly elements: string;
  readonly out: string;
  readonly cache: string;
  readonly home: string;
  #runs = 0;
  readonly #children = new Set<ChildProcess>();

  constructor(dir: string) {
    this.dir = dir;
    this.tmp = path.join(dir, 'tmp');
    this.elements = path.join(dir, 'elements');
    this.out = path.join(dir, 'out');
    this.cache = path.join(dir, 'cache');
    this.home = path.join(dir, 'home');
  }

  /** Writes an element; files ending in a slash are directories. */
  async element(name: string, files: Readonly<Record<string, ElementFile>> = {}): Promise<string> {
    const dir = path.join(this.elements, name);
    await mkdir(dir, { recursive: true });
    for (const [file, content] of Object.entries(files)) {
      const target = path.join(dir, file);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, typeof content === 'string' ? content : content.text);
      await chmod(target, typeof content === 'string' ? 0o644 : content.mode);
    }
    return dir;
  }

  /** Runs one of our commands to its end. */
  async run(
    command: string,
    args: readonly string[] = [],
    options: RunOptions = {},
  ): Promise<Result> {
    return this.start(command, args, options).exit;
  }

  /** Starts one of our commands, as leader of its own process group. */
  start(command: string, args: readonly string[] = [], options: RunOptions = {}): Started {
    this.#runs += 1;
    const events = new EventFile(path.join(this.dir, `events-${this.#runs}.jsonl`));
    const withEvents = WITH_EVENTS.has(command) ? ['--events', events.path] : [];
    const [file, ...rest] = [
      ...(options.through ?? []),
      ...[process.execPath, path.join(ROOT, 'bin', command), ...withEvents, ...args],
    ];
    const child = spawn(file ?? '', rest, {
      cwd: options.cwd ?? this.out,
      env: this.environment(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#children.add(child);
    return {
      pid: child.pid ?? 0,
      exit: this.#result(child, events),
      event: (test) => events.find(test),
    };
  }

  /** What `leaksOf` still says once things had time to settle. */
  async leaks(): Promise<readonly string[]> {
    const deadline = Date.now() + SETTLE_MS;
    for (;;) {
      const left = await leaksOf(this.dir);
      if (left.length === 0 || Date.now() > deadline) {
        return left;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async assertNothingLeaked(): Promise<void> {
    assert.deepEqual(await this.leaks(), []);
    assert.deepEqual(await readdir(this.tmp), [], 'TMPDIR should be empty');
  }

  /** The names in the output directory, sorted. */
  async outputs(): Promise<readonly string[]> {
    return (await readdir(this.out)).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      killGroup(child);
    }
    try {
      await this.assertNothingLeaked();
    } finally {
      await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  /** The clean environment of what it runs. */
  environment(extra: RunOptions['env'] = {}): NodeJS.ProcessEnv {
    const base: NodeJS.ProcessEnv = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: this.home,
      TMPDIR: this.tmp,
      ELEMENTS_PATH: [this.elements, RIG_ELEMENTS, BUILTIN_ELEMENTS].join(':'),
      DIB_IMAGE_CACHE: this.cache,
      DIB_LOCKFILES: path.join(this.dir, 'locks'),
    };
    return { ...base, ...extra };
  }

  async #result(child: ChildProcess, events: EventFile): Promise<Result> {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [status, signal] = await once(child, 'close');
    this.#children.delete(child);
    return {
      status: status ?? undefined,
      signal: signal ?? undefined,
      stdout,
      stderr,
      events: events.end(`It printed:\n${stdout}${stderr}`),
    };
  }
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? 0), 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}

/** Reads a text file of the rig's; a convenience for assertions. */
export async function text(...parts: readonly string[]): Promise<string> {
  return readFile(path.join(...parts), 'utf8');
}
