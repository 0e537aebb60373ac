/** `dibkit cache ls | show | prune | verify`: a look at the layer store, and order in it. */
import path from 'node:path';
import { Command } from 'commander';
import { renderSize } from '../events/duration.ts';
import type { Context } from '../events/event.ts';
import { usageError } from '../events/failure.ts';
import {
  checkStore,
  type Entry,
  listEntries,
  type Pruned,
  pruneStore,
} from '../layers/housekeeping.ts';
import { LayerStore } from '../layers/store.ts';
import { toolPath } from '../sandbox/host-tools.ts';
import { ownEnvironment, toolEnvironment } from './host-facts.ts';
import { parseArguments } from './parse-arguments.ts';

const EXAMPLES = `
Examples:
  dibkit cache ls
      every layer, the one that is removed first at the top
  dibkit cache show 1792350c
      what went into the layer whose key begins like that
  dibkit cache prune --max-size 5
      remove what was not used for long, until 5 GiB are left
  dibkit cache verify
      whether every layer is what it was when it was made
  dibkit cache verify --again vm debian-minimal my-element
      whether a build from layers makes what a build without them makes

Variables:
  DIB_IMAGE_CACHE       where the store is, in layers/ (default: ~/.cache/image-create)
  DIB_CACHE_SIZE        GiB that builds keep the store below (default: 20)`;

interface Given {
  readonly imageCache?: string;
  readonly json?: boolean;
  readonly maxSize?: string;
  readonly olderThan?: string;
  readonly all?: boolean;
  readonly again?: boolean;
}

export async function cacheCommand(argv: readonly string[]): Promise<number> {
  let chosen: (() => Promise<number>) | undefined;
  const command = new Command('dibkit cache')
    .description('Looks at the layers that builds keep, and removes some.')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  const verb = (name: string, description: string): Command =>
    command
      .command(name)
      .description(description)
      .option('--image-cache <DIR>', 'the cache that the store is in');
  verb('ls', 'every layer, and the images that are kept')
    .option('--json', 'as JSON')
    .action((given: Given) => {
      chosen = () => list(given);
    });
  verb('show', 'what went into a layer')
    .argument('<KEY>', 'its key, or the beginning of it')
    .action((key: string, given: Given) => {
      chosen = () => show(key, given);
    });
  verb('prune', 'removes layers that nobody has used for the longest time')
    .option('--max-size <GiB>', 'how much may stay (default: DIB_CACHE_SIZE)')
    .option('--older-than <DAYS>', 'remove what was not used for so long')
    .option('--all', 'remove everything that no running build uses')
    .action((given: Given) => {
      chosen = () => prune(given);
    });
  verb('verify', 'whether every layer is what it was when it was made')
    .option('--again', 'build BUILD from layers and anew, and compare the trees')
    .argument('[BUILD...]', 'with --again: options (after --) and elements of disk-image-create')
    .action((build: readonly string[], given: Given) => {
      chosen = given.again === true ? () => again(build) : () => verify(given);
    });
  if (parseArguments(command, argv.length === 0 ? ['--help'] : argv) === 'done') {
    return 0;
  }
  return chosen === undefined ? 0 : chosen();
}

function openStore(given: Given): LayerStore {
  const environment = ownEnvironment();
  const cache =
    given.imageCache ??
    (environment.DIB_IMAGE_CACHE || `${environment.HOME ?? ''}/.cache/image-create`);
  return new LayerStore(path.resolve(cache));
}

function storeContext(): Context {
  return {
    emit: (event) => {
      // Whoever waits is told for whom.
      if (event.kind === 'lock-wait') {
        process.stderr.write(`Waiting for ${event.path}: ${event.holder}\n`);
      }
    },
    signal: new AbortController().signal,
    toolEnvironment: toolEnvironment(toolPath(ownEnvironment().PATH)),
  };
}

async function list(given: Given): Promise<number> {
  const store = openStore(given);
  await store.make(storeContext());
  const entries = [...(await listEntries(store, storeContext()))].sort(
    (a, b) => a.usedMs - b.usedMs,
  );
  process.stdout.write(
    given.json === true
      ? `${JSON.stringify(entries.map(asJson), null, 2)}\n`
      : `${table(entries, store).join('\n')}\n`,
  );
  return 0;
}

function asJson({ key, parent, sizeBytes, usedMs, layer, inUse }: Entry): object {
  return {
    key,
    parent,
    sizeBytes,
    used: new Date(usedMs).toISOString(),
    inUse,
    ...(layer === undefined
      ? {}
      : {
          phase: layer.record.phase,
          hooks: layer.record.inputs.hooks,
          image: layer.record.image,
          created: layer.record.created,
        }),
  };
}

function table(entries: readonly Entry[], store: LayerStore): readonly string[] {
  const rows = entries.map(({ key, sizeBytes, usedMs, layer, inUse }) => [
    key,
    layer?.record.phase ?? 'images',
    renderSize(sizeBytes),
    new Date(usedMs).toISOString().slice(0, 16).replace('T', ' '),
    `${layer?.record.image ?? ''}${inUse ? ' (in use)' : ''}`,
  ]);
  const all = [['key', 'phase', 'size', 'last used', 'made for'], ...rows];
  const widths = all[0]?.map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  );
  const total = entries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    ...all.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
    `${entries.length} entries, ${renderSize(total)}, in ${store.directory}`,
  ];
}

async function show(prefix: string, given: Given): Promise<number> {
  const store = openStore(given);
  const keys = (await store.keys()).filter((key) => key.startsWith(prefix));
  const [key] = keys;
  if (key === undefined || keys.length > 1) {
    throw usageError(
      key === undefined
        ? `There is no layer '${prefix}' in '${store.directory}'`
        : `'${prefix}' could be any of ${keys.join(', ')}`,
      'dibkit cache ls lists them',
    );
  }
  const layer = await store.read(key);
  if (layer === undefined) {
    throw usageError(`The layer '${key}' has no readable layer.json`, 'dibkit cache verify');
  }
  process.stdout.write(`${JSON.stringify(layer.record, null, 2)}\n`);
  return 0;
}

const GIB = 2 ** 30;
const DAY_MS = 24 * 3_600_000;

async function prune(given: Given): Promise<number> {
  const store = openStore(given);
  await store.make(storeContext());
  const budget = given.maxSize ?? (ownEnvironment().DIB_CACHE_SIZE || '20');
  const budgetBytes = given.all === true ? -1 : amount(budget, '--max-size') * GIB;
  const rule =
    given.olderThan === undefined
      ? { budgetBytes }
      : {
          budgetBytes,
          usedBeforeMs: Date.now() - amount(given.olderThan, '--older-than') * DAY_MS,
        };
  const pruned = await pruneStore(store, rule, storeContext());
  process.stdout.write(`${describePruned(pruned)}\n`);
  return 0;
}

function amount(text: string, option: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) {
    throw usageError(`${option} must be a number, zero or above: '${text}'`);
  }
  return value;
}

function describePruned({ removed, dead, leftBytes }: Pruned): string {
  const bytes = removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const builds = dead.length === 0 ? '' : `, and what ${dead.length} killed builds left`;
  return `Removed ${removed.length} entries (${renderSize(bytes)})${builds}; ${renderSize(leftBytes)} are left`;
}

async function again(build: readonly string[]): Promise<number> {
  if (build.length === 0) {
    throw usageError(
      'What is to be built again is missing',
      'For example: dibkit cache verify --again vm debian-minimal',
    );
  }
  const { verifyAgain } = await import('./cache-verify-again.ts');
  return verifyAgain(build);
}

async function verify(given: Given): Promise<number> {
  const store = openStore(given);
  await store.make(storeContext());
  const { checked, others, faults, dead } = await checkStore(store, storeContext());
  for (const fault of faults) {
    process.stdout.write(`${fault}\n`);
  }
  if (dead.length > 0) {
    process.stdout.write(`${dead.length} killed builds left something: dibkit cache prune\n`);
  }
  if (others > 0) {
    process.stdout.write(
      `${others} layers of builds by another user, or with other ids in /etc/subuid, are not looked at\n`,
    );
  }
  process.stdout.write(`${checked} layers, ${faults.length} faults\n`);
  return faults.length === 0 ? 0 : 4;
}
