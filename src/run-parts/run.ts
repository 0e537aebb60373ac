/**
 * Runs the hooks of one phase: list, select, announce, source, and for each hook start, stream,
 * end; stop at the first that fails.
 *
 * Host or target is a matter of the request: the driver's launcher, and the two names of the
 * directory. Source: lib/dib-run-parts; lib/disk-image-create, run_d and run_d_in_target.
 */
import { basename } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Context } from '../events/event.ts';
import type { HookFailure } from '../events/failure.ts';
import type { HookTiming } from '../events/profile.ts';
import { statusOf } from '../sandbox/process.ts';
import { Scope } from '../sandbox/scope.ts';
import type { Driver, Reply } from './driver.ts';
import { ENVIRONMENT_DIR, selectEnvironmentFiles } from './environment-files.ts';
import { takeFailureNote } from './failure-note.ts';
import { type Fault, failureFor } from './fault.ts';
import { type ListedEntry, listEntries } from './list.ts';
import { openDriver } from './open-driver.ts';
import type { PartsOutcome, PartsRequest } from './request.ts';
import { type HookSelection, selectHooks } from './select.ts';
import { readHookState, type StopDecision, type StopWhen } from './stops.ts';

/**
 * Runs `environment.d` and the hooks of one directory; a directory that is not there has none.
 *
 * `context.signal` ends it: TERM for what runs, KILL after the grace period.
 *
 * @throws Failed `host` (no bash here), `config` (no bash in the target, bad `pattern`), `tool`
 * (the launcher failed); what `stops` throws
 */
export async function runParts(request: PartsRequest, context: Context): Promise<PartsOutcome> {
  const startedAt = performance.now();
  await using drivers = new Scope();
  const lastLines: string[] = [];
  const open = (): Promise<Driver> => openDriver(request, context, { drivers, lastLines });
  const run: Run = { request, context, lastLines, passed: [], ran: [], open, driver: await open() };
  const selection = selectHooks(
    await entriesFor(run, ''),
    request.pattern ?? request.env.RUN_PARTS_REGEX,
  );
  run.passed = selection.run.slice(0, request.skip ?? 0);
  announce(request, selection, context);
  let ok = false;
  try {
    const outcome = await runAll(run, selection.run);
    await run.driver.end();
    ok = outcome.kind === 'ok';
    return outcome;
  } finally {
    const durationMs = performance.now() - startedAt;
    context.emit({ kind: 'phase-end', phase: request.phase, durationMs, ok });
  }
}

/** What the steps of one run share. */
interface Run {
  readonly request: PartsRequest;
  readonly context: Context;
  /** Of the hook or file that runs now, oldest first. */
  readonly lastLines: string[];
  /** Hooks that are not run: what they do has been done. */
  passed: readonly string[];
  readonly ran: HookTiming[];
  /** Starts the shell. */
  readonly open: () => Promise<Driver>;
  /** The shell; another one when somebody tries again after it has died. */
  driver: Driver;
}

/**
 * The entries of the hook directory, or of a sibling of it. A link in a target may lead to what is
 * something else here, so the shell inside is asked about it.
 */
async function entriesFor(
  { request, driver }: Run,
  sibling: string,
): Promise<readonly ListedEntry[]> {
  const suffix = sibling === '' ? '' : `/../${sibling}`;
  const listed = listEntries(`${request.listDir}${suffix}`);
  if (request.where === 'host') {
    return listed;
  }
  const entries: ListedEntry[] = [];
  for (const entry of listed) {
    if (entry.isLink) {
      const path = `${request.dir}${suffix}/${entry.name}`;
      const file = await driver.send('is-file', path);
      const executable = await driver.send('is-executable', path);
      entries.push({
        ...entry,
        isFile: file.kind === 'status' && file.status === 0,
        executable: executable.kind === 'status' && executable.status === 0,
      });
    } else {
      entries.push(entry);
    }
  }
  return entries;
}

function announce(request: PartsRequest, selection: HookSelection, { emit }: Context): void {
  const { phase, where, dir } = request;
  emit({ kind: 'phase-start', phase, where, dir, hooks: selection.run });
  for (const reason of ['not-executable', 'name'] as const) {
    const names = selection.ignored
      .filter((file) => file.reason === reason)
      .map(({ name }) => name);
    if (names.length > 0) {
      emit({ kind: 'hooks-ignored', reason, names });
    }
  }
}

async function runAll(run: Run, hooks: readonly string[]): Promise<PartsOutcome> {
  const fault = await sourceAll(run, hooks);
  if (fault !== undefined && !run.context.signal.aborted) {
    return { kind: 'failed', failure: failureFor(run, fault) };
  }
  const todo = hooks.slice(run.passed.length);
  const last = run.passed.at(-1);
  const again =
    last === undefined ? undefined : await goOnBehind(run, siteOf(run, last, todo), undefined);
  if (again?.kind === 'failed' && !run.context.signal.aborted) {
    return again;
  }
  for (const [index, hook] of todo.entries()) {
    const coming = todo.slice(index + 1);
    const result = run.context.signal.aborted ? undefined : await runStoppable(run, hook, coming);
    if (result?.kind === 'failed' && !run.context.signal.aborted) {
      return result;
    }
    if (coming.length > 0 && !run.context.signal.aborted) {
      await pauseAfter(run, hook);
    }
  }
  return run.context.signal.aborted
    ? { kind: 'interrupted' }
    : { kind: 'ok', timings: [...run.ran] };
}

/** A shell in the target would keep its tree busy; one on the host can stay. */
async function pauseAfter(run: Run, hook: string): Promise<void> {
  const { pause, where } = run.request;
  const last = run.ran.at(-1);
  if (last?.hook !== hook || pause?.wanted() !== true) {
    return;
  }
  const ran = run.ran.map((timing) => timing.hook);
  if (where === 'host') {
    await pause.during(ran);
    return;
  }
  const saved = await run.driver.save();
  await run.driver.end();
  await pause.during(ran);
  run.driver = await run.open();
  if (saved !== undefined) {
    await run.driver.restore(saved);
  }
}

/** Sources every file of `environment.d`; the fault of the one that failed for good. */
async function sourceAll(run: Run, hooks: readonly string[]): Promise<Fault | undefined> {
  for (;;) {
    const fault = await sourceEach(run);
    if (fault === undefined) {
      return undefined;
    }
    if ((await stopAt(run, 'error', { ...fault, coming: hooks })) !== 'retry') {
      return fault;
    }
    run.driver = await run.open();
  }
}

async function sourceEach(run: Run): Promise<Fault | undefined> {
  for (const name of selectEnvironmentFiles(await entriesFor(run, ENVIRONMENT_DIR))) {
    const fault = await sourceFile(run, name);
    if (fault !== undefined || run.context.signal.aborted) {
      return fault;
    }
  }
  return undefined;
}

/** Sources one file; the fault, when there is one. */
async function sourceFile(run: Run, name: string): Promise<Fault | undefined> {
  const { request, context, driver, lastLines } = run;
  const path = `${request.dir}/../${ENVIRONMENT_DIR}/${name}`;
  lastLines.length = 0;
  context.emit({ kind: 'environment-file', path });
  const reply = await driver.send('source', path);
  if (reply.kind !== 'gone') {
    return undefined;
  }
  const status = statusOf(reply.exit);
  const about = { directory: ENVIRONMENT_DIR, name, path };
  // A file that ends the shell with 0 would skip every hook of the phase without a word.
  return status === 0
    ? { ...about, status: 1, what: 'ended the shell before any hook could run' }
    : { ...about, status, what: `failed with status ${status}` };
}

type HookResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly failure: HookFailure };

/** One hook, with the stops before it, after it and where it fails. */
async function runStoppable(
  run: Run,
  hook: string,
  coming: readonly string[],
): Promise<HookResult> {
  const site = siteOf(run, hook, coming);
  return (await stopAt(run, 'before', site)) === 'skip'
    ? { kind: 'done' }
    : goOnBehind(run, site, await runHook(run, hook));
}

type Site = Omit<Fault, 'status' | 'what'> & { readonly coming: readonly string[] };

function siteOf({ request }: Run, name: string, coming: readonly string[]): Site {
  return { directory: basename(request.dir), name, path: `${request.dir}/${name}`, coming };
}

/** Stops behind a hook that has run, where somebody wants to; and runs it as often as they like. */
async function goOnBehind(run: Run, site: Site, first: Fault | undefined): Promise<HookResult> {
  let fault = first;
  for (;;) {
    if (run.context.signal.aborted) {
      return { kind: 'done' };
    }
    const decision = await stopAt(run, fault === undefined ? 'after' : 'error', {
      ...site,
      ...fault,
    });
    const final = fault === undefined ? undefined : await failFor(run, fault, decision);
    if (final !== undefined) {
      return { kind: 'failed', failure: final };
    }
    if (decision !== 'retry') {
      return { kind: 'done' };
    }
    fault = await runHook(run, site.name);
  }
}

/** The failure of a hook that nobody tries again or skips, or of what has to run before that. */
async function failFor(
  run: Run,
  fault: Fault,
  decision: StopDecision,
): Promise<HookFailure | undefined> {
  if (decision === 'go-on') {
    // What the hook left behind, such as a tee(1), may still be saying why.
    await run.driver.end();
    return failureFor(run, fault);
  }
  if (fault.gone !== true) {
    return undefined;
  }
  run.driver = await run.open();
  const sourcing = await sourceAll(run, []);
  return sourcing === undefined ? undefined : failureFor(run, sourcing);
}

/** Runs one hook; what went wrong, when something did. */
async function runHook(run: Run, hook: string): Promise<Fault | undefined> {
  const { request, context, driver, lastLines } = run;
  const path = `${request.dir}/${hook}`;
  const directory = basename(request.dir);
  const element = request.elementOf?.(hook, directory);
  lastLines.length = 0;
  context.emit({ kind: 'hook-start', hook, path, ...(element === undefined ? {} : { element }) });
  request.onHook?.(hook, 'start');
  const startedAt = performance.now();
  const reply = await driver.send('run', path);
  const durationMs = performance.now() - startedAt;
  request.onHook?.(hook, 'end');
  const status = reply.kind === 'status' ? reply.status : statusOfGone(reply);
  if (status !== 0 && request.stops?.wants('error', directory, hook) !== true) {
    await driver.end();
  }
  context.emit({ kind: 'hook-end', hook, status, durationMs });
  const { failureNote } = request;
  const cause = failureNote === undefined ? undefined : await takeFailureNote(failureNote, status);
  if (status === 0) {
    run.ran.push({ hook, durationMs });
    return undefined;
  }
  const about = { directory, name: hook, path, status, ...(cause === undefined ? {} : { cause }) };
  return reply.kind === 'status'
    ? { ...about, what: `failed with status ${status}` }
    : { ...about, gone: true, what: `took the shell that ran it with it, status ${status}` };
}

function statusOfGone(reply: Reply): number {
  return reply.kind === 'gone' ? statusOf(reply.exit) || 1 : 1;
}

/** Asks whoever wants to stop here how to go on, while the shell that runs the hooks is held. */
async function stopAt(
  run: Run,
  when: StopWhen,
  site: Site | (Fault & Pick<Site, 'coming'>),
): Promise<StopDecision> {
  const { stops, elementOf } = run.request;
  const { directory, name, path, coming } = site;
  if (stops?.wants(when, directory, name) !== true || run.context.signal.aborted) {
    return 'go-on';
  }
  const element = elementOf?.(name, directory);
  const held = await run.driver.hold();
  try {
    return await stops.at({
      when,
      directory,
      name,
      path,
      coming,
      passed: run.passed,
      ran: run.ran,
      ...(element === undefined ? {} : { element }),
      ...('status' in site ? { failure: failureFor(run, site) } : {}),
      ...(held === undefined ? {} : { state: await readHookState(held.pid) }),
    });
  } finally {
    await held?.release();
  }
}
