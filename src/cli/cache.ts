/** `dibkit cache ls | show | prune | verify`: a look at the layer store, and order in it. */
import { Command } from 'commander';
import { renderSize } from '../events/duration.ts';
import { usageError } from '../events/failure.ts';
import { quoteWord } from '../events/failure-text.ts';
import { checkStore, type Entry, listEntries } from '../layers/housekeeping.ts';
import { isKey } from '../layers/record.ts';
import { type PruneOptions, prune } from './cache-prune.ts';
import { absent, keysOf, type Opened, oneKey, openStore, storeContext } from './cache-store.ts';
import { parseArguments } from './parse-arguments.ts';

const EXAMPLES = `
Examples:
  dibkit cache ls
      every layer, the one that is removed first at the top
  dibkit cache show 1792350c
      what went into the layer whose key begins like that
  dibkit cache prune --max-size 5
      remove what was not used for long, until 5 GiB are left
  dibkit cache prune 1792350c
      remove that layer, and what stands on it
  dibkit cache verify
      whether every layer is what it was when it was made
  dibkit cache verify --again vm debian-minimal my-element
      whether a build from layers makes what a build without them makes

Variables:
  DIB_IMAGE_CACHE       where the store is, in layers/ (default: ~/.cache/image-create)
  DIB_CACHE_SIZE        GiB that builds keep the store below (default: 20)`;

interface Given extends PruneOptions {
  readonly json?: boolean;
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
  verb('prune', 'removes layers that nobody has used for the longest time, or KEY')
    .argument('[KEY...]', 'remove these, and what stands on them; beginnings of keys will do')
    .option('--max-size <GiB>', 'how much may stay (default: DIB_CACHE_SIZE)')
    .option('--older-than <DAYS>', 'remove what was not used for so long')
    .option('--all', 'remove everything that no running build uses')
    .action((keys: readonly string[], given: Given) => {
      chosen = () => prune(keys, given);
    });
  verb('verify', 'whether every layer is what it was when it was made')
    .option('--again', 'build BUILD from layers and anew, and compare the trees')
    .argument('[BUILD...]', 'with --again: options (after --) and elements of disk-image-create')
    .action((build: readonly string[], given: Given) => {
      chosen = given.again === true ? () => again(build, given) : () => verify(build, given);
    });
  if (parseArguments(command, argv.length === 0 ? ['--help'] : argv) === 'done') {
    return 0;
  }
  return chosen === undefined ? 0 : chosen();
}

async function list(given: Given): Promise<number> {
  const opened = await openStore(given.imageCache);
  const found = opened.isThere ? await listEntries(opened.store, storeContext()) : [];
  const entries = [...found].sort((a, b) => a.usedMs - b.usedMs);
  process.stdout.write(
    given.json === true
      ? `${JSON.stringify(entries.map(asJson), null, 2)}\n`
      : `${table(entries, opened).join('\n')}\n`,
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

function table(entries: readonly Entry[], opened: Opened): readonly string[] {
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
    opened.isThere
      ? `${entries.length} entries, ${renderSize(total)}, in ${opened.store.directory}`
      : `Nothing is kept${absent(opened)}`,
  ];
}

async function show(prefix: string, given: Given): Promise<number> {
  const { store } = await openStore(given.imageCache);
  const key = oneKey(prefix, await keysOf(store), store);
  if (!isKey(key)) {
    throw usageError(
      `'${key}' are finished images, of which nothing is noted`,
      `They are in '${store.pathOf(key)}'`,
    );
  }
  const layer = await store.read(key);
  if (layer === undefined) {
    throw usageError(`The layer '${key}' has no readable layer.json`, 'dibkit cache verify');
  }
  process.stdout.write(`${JSON.stringify(layer.record, null, 2)}\n`);
  return 0;
}

async function again(build: readonly string[], { imageCache }: Given): Promise<number> {
  if (build.length === 0) {
    throw usageError(
      'What is to be built again is missing',
      'For example: dibkit cache verify --again vm debian-minimal',
    );
  }
  const { verifyAgain } = await import('./cache-verify-again.ts');
  return verifyAgain([
    ...(imageCache === undefined ? [] : ['--image-cache', imageCache]),
    ...build,
  ]);
}

async function verify(words: readonly string[], given: Given): Promise<number> {
  if (words.length > 0) {
    throw usageError(
      `What to do with '${words.join(' ')}' is missing: all layers are looked at`,
      `To build it again: dibkit cache verify --again ${words.map(quoteWord).join(' ')}`,
    );
  }
  const opened = await openStore(given.imageCache);
  if (!opened.isThere) {
    process.stdout.write(`0 layers, 0 faults${absent(opened)}\n`);
    return 0;
  }
  const { checked, others, faults, dead } = await checkStore(opened.store, storeContext());
  for (const { name, what } of faults) {
    process.stdout.write(`${name}: ${what}\n`);
  }
  const layers = faults.filter(({ name }) => isKey(name)).map(({ name }) => name);
  if (layers.length > 0) {
    const command = ['dibkit cache prune', ...layers].join(' ');
    process.stdout.write(`To have them made anew, with what stands on them: ${command}\n`);
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
