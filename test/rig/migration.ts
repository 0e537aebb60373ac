/**
 * What tests of the migration service share: a mirror on loopback, a stand-in for `submit`, a clock that
 * the test sets, and a state volume that is gone afterwards.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type {
  MigrationConfig,
  RepositoryConfig,
  SourceConfig,
  SubmitConfig,
} from '../../src/migration/config.ts';
import { DEFAULT_CONFIG } from '../../src/migration/default-config.ts';
import type { RunRecord, SystemRecord } from '../../src/migration/run-record.ts';
import { runWatch } from '../../src/migration/run-watch.ts';
import { type StatePaths, statePaths } from '../../src/migration/state.ts';
import type { WatchContext, WatchOptions } from '../../src/migration/watch.ts';
import { file, openServer, type TestServer } from './http-server.ts';
import { primaryXml, repomdXml, type TestPackage } from './primary-xml.ts';

export const ROOT: string = path.dirname(
  path.dirname(path.dirname(fileURLToPath(import.meta.url))),
);
const STAND_IN = path.join(ROOT, 'test/fixtures/migration/submit');

export const CENTOS = 'centos_9-stream';
export const TARGET = 'openeuler_24_03_LTS';

type Compression = 'gz' | 'xz' | 'zst' | 'bz2' | 'plain';

/** Short for a package: `foo-1.2`. */
export function pkg(text: string): TestPackage {
  const at = text.lastIndexOf('-');
  return { name: text.slice(0, at), version: text.slice(at + 1) };
}

/** Short for its file. */
export function rpm(text: string): string {
  return `${text}-1.el9.src.rpm`;
}

export interface Published {
  /** Its metadata, compressed. */
  readonly content: Buffer;
  readonly primaryPath: string;
  readonly repomdPath: string;
  readonly repomd: string;
}

export class MigrationRig implements AsyncDisposable {
  readonly dir: string;
  readonly server: TestServer;
  /** What the clock says. */
  now: Date = new Date(2024, 10, 20, 2, 0, 0);
  /** What was waited for, in seconds: nothing is, really. */
  readonly slept: number[] = [];
  /** What the service said. */
  readonly said: string[] = [];
  readonly paths: StatePaths;
  config: MigrationConfig;

  private constructor(dir: string, server: TestServer) {
    this.dir = dir;
    this.server = server;
    this.paths = statePaths(path.join(dir, 'state'));
    this.config = {
      ...DEFAULT_CONFIG,
      target: { ...DEFAULT_CONFIG.target, repositories: [this.repository('target')] },
      systems: [this.system('centos', '9-stream', ['a', 'b'])],
      submit: { ...DEFAULT_CONFIG.submit, command: [STAND_IN] },
      fetch: { ...DEFAULT_CONFIG.fetch, idleSeconds: 30 },
    };
  }

  static async open(): Promise<MigrationRig> {
    const dir = await mkdtemp(path.join(os.tmpdir(), 'migration-'));
    await mkdir(path.join(dir, 'submit/how'), { recursive: true });
    const rig = new MigrationRig(dir, await openServer());
    for (const system of rig.config.systems) {
      await writeFile(system.job, 'suite: rpmbuild\n');
    }
    rig.publish('target', []);
    rig.publish('a', ['old-1.0'].map(pkg));
    rig.publish('b', ['bold-1.0'].map(pkg));
    return rig;
  }

  repository(id: string): RepositoryConfig {
    return { id, url: `${this.server.url}/${id}/repodata/repomd.xml`, enabled: true };
  }

  system(name: string, version: string, repositories: readonly string[]): SourceConfig {
    return {
      os: name,
      version,
      job: path.join(this.dir, `${name}_${version}.yaml`),
      repositories: repositories.map((id) => this.repository(id)),
    };
  }

  /** Makes a repository of the mirror have these packages. */
  publish(
    id: string,
    packages: readonly TestPackage[],
    compression: Compression = 'gz',
  ): Published {
    return this.publishXml(id, primaryXml(packages), compression);
  }

  /** The same with metadata as it is given. */
  publishXml(id: string, xml: string, compression: Compression = 'gz'): Published {
    const content = compress(xml, compression);
    const suffix = compression === 'plain' ? '' : `.${compression}`;
    const primaryPath = `/${id}/repodata/0-primary.xml${suffix}`;
    const repomdPath = `/${id}/repodata/repomd.xml`;
    const href = primaryPath.slice(id.length + 2);
    const repomd = repomdXml({ href, content, openSize: Buffer.byteLength(xml) });
    this.server.serve(primaryPath, file(content));
    this.server.serve(repomdPath, file(repomd));
    return { content, primaryPath, repomdPath, repomd };
  }

  /** What `submit` does for a package's file, for `FILE.ARCH`, or for `default`. */
  async how(name: string, answer: string): Promise<void> {
    await writeFile(path.join(this.dir, 'submit/how', name), answer);
  }

  async forgetHow(): Promise<void> {
    await rm(path.join(this.dir, 'submit/how'), { recursive: true });
    await mkdir(path.join(this.dir, 'submit/how'));
  }

  submitSettings(changes: Partial<SubmitConfig>): void {
    this.config = { ...this.config, submit: { ...this.config.submit, ...changes } };
  }

  environment(): Readonly<Record<string, string>> {
    return { PATH: process.env.PATH ?? '', SUBMIT_DIR: path.join(this.dir, 'submit') };
  }

  context(): WatchContext {
    return {
      emit: (event) => {
        if (event.kind === 'message') {
          this.said.push(event.text);
        }
      },
      signal: new AbortController().signal,
      clock: {
        now: () => this.now,
        sleep: async (ms) => {
          this.slept.push(ms / 1000);
        },
      },
      environment: this.environment(),
    };
  }

  /** `environment` is added to the usual one. */
  run(
    options: Partial<WatchOptions> = {},
    environment: Readonly<Record<string, string>> = {},
  ): Promise<RunRecord> {
    return runWatch(
      {
        config: this.config,
        stateDirectory: this.paths.root,
        dryRun: false,
        allowFlood: false,
        retryUnknown: false,
        ...options,
      },
      { ...this.context(), environment: { ...this.environment(), ...environment } },
    );
  }

  /** A day later. */
  nextDay(): void {
    this.now = new Date(this.now.getTime() + 24 * 3600 * 1000);
  }

  /** `FILE ARCH` of every job that `submit` has started, sorted. */
  jobs(): readonly string[] {
    return this.#submitLines('jobs');
  }

  /** The same of every call of `submit`. */
  calls(): readonly string[] {
    return this.#submitLines('calls');
  }

  /** The files in the history, sorted. */
  history(system = CENTOS): readonly string[] {
    const list = path.join(this.paths.data, `rpm_src_history_list_${system}`);
    return lines(list)
      .map((line) => (line.split(' ')[0] ?? '').replace(/.*\//, ''))
      .sort();
  }

  /** A file in the log directories of an architecture, oldest directory first. */
  logged(architecture: string, name: string): string {
    return readdirSync(this.paths.log)
      .filter((dir) => dir.includes(`_${architecture}-`))
      .sort()
      .map((dir) => path.join(this.paths.log, dir, name))
      .map((each) => (existsSync(each) ? readFileSync(each, 'utf8') : ''))
      .join('');
  }

  #submitLines(name: string): readonly string[] {
    return lines(path.join(this.dir, 'submit', name))
      .map((line) => line.replace(/.*\//, ''))
      .sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.dir, { recursive: true });
  }
}

/** The one system of a record. */
export function only(record: RunRecord): SystemRecord {
  const [system] = record.systems;
  if (system === undefined) {
    throw new Error(`The run has no system: ${record.error}`);
  }
  return system;
}

/** `FILE ARCH` for every architecture, sorted. */
export function onBoth(...files: readonly string[]): readonly string[] {
  return files.flatMap((each) => [`${each} aarch64`, `${each} x86_64`]).sort();
}

function lines(name: string): readonly string[] {
  return existsSync(name)
    ? readFileSync(name, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
    : [];
}

const TOOLS = { xz: ['xz', '-c'], zst: ['zstd', '-c'], bz2: ['bzip2', '-c'] } as const;

function compress(xml: string, compression: Compression): Buffer {
  if (compression === 'plain') {
    return Buffer.from(xml);
  }
  if (compression === 'gz') {
    return gzipSync(xml);
  }
  const [tool, ...args] = TOOLS[compression];
  const { status, stdout } = spawnSync(tool, args, { input: xml, maxBuffer: 1 << 28 });
  if (status !== 0) {
    throw new Error(`${tool} failed`);
  }
  return stdout;
}
