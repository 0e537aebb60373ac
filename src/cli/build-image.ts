/**
 * The command's side of a build: it makes the work directories, starts the engine inside its
 * namespaces, shows what happens, and cleans up after it, whatever becomes of it.
 */
import path from 'node:path';
import { CI_VARIABLES, ciSystem } from '../events/ci-log.ts';
import type { Emit } from '../events/event.ts';
import { readEventLines } from '../events/event-lines.ts';
import { FactsReader } from '../events/facts-reader.ts';
import { exitCode, Failed, type Failure, failureOf, hostError } from '../events/failure.ts';
import { FanOut } from '../events/fan-out.ts';
import { makeDirectories } from '../events/make-directories.ts';
import { renderSummary } from '../events/summary.ts';
import { describeTerminal } from '../events/terminal.ts';
import { type Audience, assertCanBreak } from '../phases/breakpoints.ts';
import { assertHostCan, type PreparedBuild, prepareBuild } from '../phases/prepare.ts';
import type { EngineControl, EngineOrder } from '../phases/protocol.ts';
import { assertSomeRoom } from '../phases/space.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import type { Contained } from '../sandbox/namespace.ts';
import { statusOf } from '../sandbox/process.ts';
import { Reaper } from '../sandbox/reaper.ts';
import { Scope } from '../sandbox/scope.ts';
import { pidNamespace } from '../sandbox/stragglers.ts';
import { makeNamedWorkDir, openToAll } from '../sandbox/work-dir.ts';
import { openBuildCache } from './build-cache.ts';
import type { BuildSite, EngineProcess } from './engine-process.ts';
import { mangledVariables, ownEnvironment } from './host-facts.ts';
import { openReaders } from './readers.ts';

export interface BuildImageRequest {
  readonly plan: BuildPlan;
  /** Of this plan. */
  readonly site: BuildSite;
  readonly skipBase: boolean;
  /** Where events go as JSON lines. */
  readonly eventsFile?: string;
}

/** Builds; returns the process status. Failures are told by the readers and on standard error. */
export async function buildImage(request: BuildImageRequest): Promise<number> {
  const facts = new FactsReader();
  await using readers = new FanOut([
    facts,
    ...(await openReaders(request.plan.show, request.eventsFile)),
  ]);
  const started = performance.now();
  const failure = await attempt(request, readers).then(
    () => undefined,
    (error: unknown) => failureOf(error),
  );
  readers.emit({
    kind: 'build-end',
    durationMs: performance.now() - started,
    ...(failure === undefined ? {} : { failure }),
  });
  await readers.drained();
  if (failure === undefined) {
    printSummary(facts, request.plan);
    return 0;
  }
  const { logFile } = request.plan.show;
  const { reportFailure } = await import('./report-failure.ts');
  reportFailure(failure, {
    command: request.plan.repeat,
    ...(logFile === undefined ? {} : { logFile }),
  });
  // A log that could not be completed either does not say why the build failed.
  await readers[Symbol.asyncDispose]().catch(() => {});
  return exitCode(failure);
}

/** What was built, for whoever looks at the screen; the log ends with upstream's last line (compat). */
function printSummary(facts: FactsReader, plan: BuildPlan): void {
  if (plan.show.quiet) {
    return;
  }
  const { unicode } = describeTerminal(process.stdout.isTTY === true, ownEnvironment());
  const columns = process.stdout.columns || 80;
  process.stdout.write(`${renderSummary(facts.facts, { columns, unicode }).join('\n')}\n`);
}

/** Some CI systems give a terminal to a job; there is nobody to answer at it. */
function whoIsThere(): Audience {
  const system = ciSystem(ownEnvironment());
  const hasTerminal = process.stdin.isTTY && process.stdout.isTTY;
  return {
    terminal: hasTerminal && system === undefined,
    ...(hasTerminal && system !== undefined ? { ciVariable: CI_VARIABLES[system] } : {}),
  };
}

function sayMangled(emit: Emit): void {
  for (const name of mangledVariables()) {
    const text = `The variable ${name} is not UTF-8: hooks see other bytes in it`;
    emit({ kind: 'message', level: 'warning', text });
  }
}

/** @throws Failed */
async function attempt(request: BuildImageRequest, readers: FanOut): Promise<void> {
  const { plan, site, skipBase } = request;
  const { host, places } = site;
  const { privilege } = host;
  sayMangled(readers.emit);
  const preparation = await prepareBuild(plan, { skipBase, privilege }, readers.emit);
  const audience = whoIsThere();
  const { terminal } = audience;
  assertCanBreak(preparation.build.plan.breaks, audience, plan.repeat);
  const { build } = preparation;
  await assertHostCan(preparation, host);
  await makeCaches(build.plan);
  await assertSomeRoom(build.plan);
  await using scope = new Scope();
  await using interrupts = new Interrupts();
  const reaper = scope.use(new Reaper(host));
  for (const directory of Object.values(places)) {
    await makeNamedWorkDir(directory, reaper);
  }
  await openToAll(places.buildDir);
  const owner = { scope, reaper };
  const cache = await openBuildCache(build, owner, { emit: readers.emit, environment: host.env });
  const order: EngineOrder = {
    build,
    graph: preparation.graph,
    ...cache.order,
    ...places,
    terminal,
    umask: process.umask(),
    outerNamespace: pidNamespace(),
  };
  announce(build, places.buildDir, readers.emit);
  // It is gone before what it works in is removed.
  const engine = scope.use(site.engine());
  await runEngine(order, { readers, interrupts, engine });
  await cache.tidy();
}

async function makeCaches(plan: BuildPlan): Promise<void> {
  for (const directory of [plan.work.imageCache, plan.work.lockFiles]) {
    await makeDirectories(path.resolve(plan.image.cwd, directory)).catch((error) => {
      throw hostError(
        `Cannot make the cache directory '${directory}': ${(error as Error).message}`,
        'Choose another one with --image-cache or DIB_LOCKFILES',
      );
    });
  }
}

function announce(build: PreparedBuild, buildDir: string, emit: Emit): void {
  emit({
    kind: 'build-start',
    version: build.plan.version,
    elements: build.plan.elements,
    expanded: build.elements.map((element) => element.name),
    imageName: build.plan.image.name,
    imageTypes: build.plan.image.types,
    buildDir,
  });
}

interface EngineRun {
  readonly readers: FanOut;
  readonly interrupts: Interrupts;
  readonly engine: EngineProcess;
}

async function runEngine(order: EngineOrder, run: EngineRun): Promise<void> {
  const { contained: engine, argv } = run.engine;
  run.interrupts.stops(engine);
  tell(engine, order);
  const ended = await forwardEvents(engine, run.readers, order.build.plan.show.quiet);
  const exit = await engine.exit;
  if (run.interrupts.failure !== undefined) {
    throw new Failed(run.interrupts.failure);
  }
  if (ended === undefined) {
    throw new Failed({
      kind: 'tool',
      message: `The build's engine was ended from outside with status ${statusOf(exit)}`,
      argv,
      status: statusOf(exit),
      lastLines: [],
      hint: 'If it was killed for lack of memory, build on disk with --no-tmpfs',
    });
  }
  if (ended.failure !== undefined) {
    throw new Failed(ended.failure);
  }
}

function tell(engine: Contained, said: EngineOrder | EngineControl): void {
  engine.toProgram.write(`${JSON.stringify(said)}\n`);
}

/** Passes the engine's events on; its `build-end` is returned instead, because we have to clean up first. */
async function forwardEvents(
  engine: Contained,
  readers: FanOut,
  quiet: boolean,
): Promise<{ readonly failure?: Failure } | undefined> {
  let end: { readonly failure?: Failure } | undefined;
  let passed = 0;
  for await (const line of readEventLines(engine.fromProgram)) {
    if (line.kind !== 'event') {
      continue;
    }
    const { event } = line;
    if (event.kind === 'build-end') {
      end = event;
      continue;
    }
    readers.pass(event);
    passed += 1;
    if (passed % EVENTS_AT_ONCE === 0) {
      await readers.drained();
    }
    if (event.kind === 'break-start') {
      await readers.drained();
      if (quiet) {
        // Whoever keeps the console quiet still wants to know what shell that is.
        process.stdout.write(event.lines.map((line) => `${line}\n`).join(''));
      }
      tell(engine, { control: 'terminal' });
    }
  }
  return end;
}

/** How many events may wait for a slow log or console; the hook that prints them waits, too. */
const EVENTS_AT_ONCE = 1024;

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** How long the engine may take to stop what it runs before everything in its namespaces is killed. */
const STOP_GRACE_MS = 15_000;

/** Signals that ask us to stop: the first is passed on politely, the second is not. */
class Interrupts implements AsyncDisposable {
  failure: Failure | undefined;
  #engine: Contained | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #listeners = Object.entries(SIGNALS).map(([name, number]) => ({
    name: name as NodeJS.Signals,
    listener: () => this.#interrupt(name, number),
  }));

  constructor() {
    for (const { name, listener } of this.#listeners) {
      process.on(name, listener);
    }
  }

  stops(engine: Contained): void {
    this.#engine = engine;
    if (this.failure !== undefined) {
      engine.kill();
    }
  }

  #interrupt(name: string, signal: number): void {
    if (this.failure !== undefined) {
      this.#engine?.kill();
      return;
    }
    this.failure = {
      kind: 'interrupted',
      signal,
      message: `Interrupted by ${name}; nothing is left of the build`,
    };
    if (this.#engine !== undefined) {
      tell(this.#engine, { control: 'stop', signal });
      this.#timer = setTimeout(() => this.#engine?.kill(), STOP_GRACE_MS);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    for (const { name, listener } of this.#listeners) {
      process.off(name, listener);
    }
  }
}
