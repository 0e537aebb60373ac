/**
 * Builds elements with Debian's diskimage-builder and with ours, and reads what came of it.
 *
 *     await using pair = await openDifferential();
 *     const [theirs, ours] = [await pair.build('upstream', recipe), await pair.build('ours', recipe)];
 *     pair.findings(theirs, ours)
 *
 * Upstream runs in namespaces of its own, because it leaves mounts and processes behind; its loop
 * devices are detached in the end. Ours has to leave nothing by itself.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { readTarEntries } from '../../src/output/tar-entries.ts';
import { type Entries, type Finding, findingsOf } from './differences.ts';
import { leaksOf } from './leaks.ts';
import { ROOT } from './run-hook.ts';

export type Tool = 'upstream' | 'ours';

export interface Recipe {
  /** Of `disk-image-create`, without formats and name. */
  readonly args: readonly string[];
  readonly elementsPath: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Built {
  readonly dir: string;
  /** Seconds since 1970. */
  readonly startedAt: number;
  /** Undefined when a signal ended it. */
  readonly status: number | undefined;
  /** The file that has all that was printed. */
  readonly log: string;
  /** What is in the image, and, with `beside` in front, in the files beside it. Empty without an image. */
  readonly entries: Entries;
}

export const UPSTREAM = '/usr/bin/disk-image-create';
export const UPSTREAM_ELEMENTS = '/usr/lib/python3/dist-packages/diskimage_builder/elements';

/** The variables that say where this machine has Debian from; the benchmarks' own, which are JavaScript. */
export function hostSources(): Record<string, string> {
  const module = path.join(ROOT, 'test/bench/apt-sources.mjs');
  const program = `import { hostSources } from '${module}'; console.log(JSON.stringify(hostSources()));`;
  const argv = ['--input-type=module', '--eval', program];
  return JSON.parse(execFileSync(process.execPath, argv, { encoding: 'utf8' }));
}

const IN_NAMESPACES = [
  ...['unshare', '--mount', '--propagation', 'private', '--pid', '--fork'],
  ...['--kill-child', '--mount-proc'],
];

/** Whatever descriptors the tests themselves were given. */
const WITHOUT_DESCRIPTORS = [
  ...['bash', '-c'],
  'for fd in /proc/$$/fd/*; do fd=${fd##*/}; [ "$fd" -lt 3 ] || eval "exec $fd>&-"; done; exec "$@"',
  'bash',
];

/** The files beside an image are those of `out`, without the image. */
const BESIDE = 'beside';

export async function openDifferential(): Promise<Differential> {
  return new Differential(await mkdtemp(path.join(os.tmpdir(), 'dibkit-differential-')));
}

export class Differential implements AsyncDisposable {
  readonly dir: string;
  readonly #children = new Set<ChildProcess>();
  #count = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** Builds a tar. Hooks find a directory of the build's own in `NASTY_RUN`, which has `out` and `shared`. */
  async build(tool: Tool, recipe: Recipe): Promise<Built> {
    this.#count += 1;
    const dir = path.join(this.dir, `${this.#count}-${tool}`);
    for (const name of ['tmp', 'cache', 'home', 'out', 'shared']) {
      await mkdir(path.join(dir, name), { recursive: true });
    }
    const log = path.join(dir, 'log');
    const startedAt = Date.now() / 1000;
    const status = await this.#run(tool, recipe, { dir, log });
    if (tool === 'ours') {
      assert.deepEqual(await leaksOf(dir), [], `It printed:\n${await lastWords(log)}`);
    }
    return { dir, startedAt, status, log, entries: await entriesOf(dir) };
  }

  async #run(
    tool: Tool,
    recipe: Recipe,
    at: { dir: string; log: string },
  ): Promise<number | undefined> {
    const { dir, log } = at;
    await using output = await open(log, 'w');
    const command =
      tool === 'upstream'
        ? [...IN_NAMESPACES, UPSTREAM]
        : [process.execPath, path.join(ROOT, 'bin/disk-image-create')];
    const [file = '', ...args] = [
      ...WITHOUT_DESCRIPTORS,
      ...command,
      '-t',
      'tar',
      '-o',
      'image',
      ...recipe.args,
    ];
    const child = spawn(file, args, {
      cwd: path.join(dir, 'out'),
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME: path.join(dir, 'home'),
        USER: 'root',
        TMPDIR: path.join(dir, 'tmp'),
        ELEMENTS_PATH: recipe.elementsPath.join(':'),
        DIB_IMAGE_CACHE: path.join(dir, 'cache'),
        DIB_LOCKFILES: path.join(dir, 'locks'),
        NASTY_RUN: dir,
        ...recipe.env,
      },
      stdio: ['ignore', output.fd, output.fd],
      detached: true,
    });
    this.#children.add(child);
    const [status] = await once(child, 'close');
    this.#children.delete(child);
    return status ?? undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid } of this.#children) {
      killGroup(pid);
    }
    await detachLoopDevices(this.dir);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What differs between an image of upstream and another one. */
export function compareBuilt(upstream: Built, other: Built): readonly Finding[] {
  return findingsOf(upstream.entries, other.entries, Math.min(upstream.startedAt, other.startedAt));
}

/** The last lines that a build printed. */
export async function lastWords(log: string, count = 30): Promise<string> {
  const text = await readFile(log, 'latin1');
  return text.split('\n').slice(-count).join('\n');
}

/** The text of a file in an image or beside it; empty when there is none. */
export function textIn({ dir }: Built, file: string): string {
  const out = path.join(dir, 'out');
  const argv = file.startsWith(BESIDE)
    ? ['cat', path.join(out, file.slice(BESIDE.length))]
    : ['tar', '-xOf', path.join(out, 'image.tar'), `.${file}`];
  return spawnSync(argv[0] ?? '', argv.slice(1), { encoding: 'latin1', maxBuffer: 1 << 26 }).stdout;
}

/** For each finding about content, the lines that only one of the two has, so that a failure can be read. */
export function withLines(
  findings: readonly Finding[],
  { theirs, ours }: { readonly theirs: Built; readonly ours: Built },
): readonly Finding[] {
  return findings.map((finding) =>
    finding.what === 'content'
      ? { ...finding, text: `${finding.text}\n${linesOf(finding.path, { theirs, ours })}` }
      : finding,
  );
}

const MOST_LINES = 12;

function linesOf(file: string, { theirs, ours }: { theirs: Built; ours: Built }): string {
  const [left, right] = [theirs, ours].map((built) => textIn(built, file).split('\n'));
  return [
    ...(left ?? []).filter((line) => !right?.includes(line)).map((line) => `    < ${line}`),
    ...(right ?? []).filter((line) => !left?.includes(line)).map((line) => `    > ${line}`),
  ]
    .map((line) => line.slice(0, 200))
    .slice(0, MOST_LINES)
    .join('\n');
}

async function entriesOf(dir: string): Promise<Entries> {
  const image = path.join(dir, 'out/image.tar');
  const inside = existsSync(image) ? await readTarEntries(createReadStream(image)) : new Map();
  const argv = ['--exclude=./image.tar', '-C', path.join(dir, 'out'), '-c', '.'];
  const child = spawn('tar', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  const beside = await readTarEntries(child.stdout);
  const named = [...beside].map(([file, entry]) => [`${BESIDE}${file}`, entry] as const);
  return new Map([...inside, ...named]);
}

function killGroup(pid: number | undefined): void {
  try {
    process.kill(-(pid ?? 0), 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

async function detachLoopDevices(dir: string): Promise<void> {
  for (const name of (await readdir('/sys/block')).filter((each) => each.startsWith('loop'))) {
    const file = path.join('/sys/block', name, 'loop/backing_file');
    if ((await readFile(file, 'utf8').catch(() => '')).startsWith(dir)) {
      execFileSync('losetup', ['--detach', `/dev/${name}`]);
    }
  }
}
