/**
 * Block-device configuration text to graph nodes.
 *
 * A configuration is a list of maps with one key, a plugin's name. A value inside a plugin whose
 * own key is a plugin's name is a child that lies on it (tree notation); naming the `base`
 * outright (graph notation) is the same, and both may be mixed. Children come before their parent,
 * and an unnamed node K on B is called `K_B`. Compat. Source: dib-contract, "Tree to graph".
 */
import type { Place } from '../events/failure.ts';
import { type Entry, type Located, parseLocated } from '../plan/located-yaml.ts';
import { Problems } from '../plan/problems.ts';
import type { ConfigNode, PluginName } from './config.ts';
import { PLUGINS } from './config.ts';
import { Fields } from './fields.ts';
import { NODE_READERS } from './node-readers.ts';

export interface ParsedConfig {
  /** In the order of upstream's flattening: children before parents. */
  readonly nodes: readonly ConfigNode[];
  /** What is odd but harmless, such as a key that no plugin knows. */
  readonly warnings: readonly string[];
}

/**
 * The nodes of a configuration.
 *
 * @throws Failed `config` with every problem, each with its line, column and key.
 */
export function parseConfig(text: string, source: string): ParsedConfig {
  const problems = new Problems();
  const top = parseLocated(text, source, problems);
  const raw = top === undefined ? [] : flattenAll(top, problems);
  const warnings: string[] = [];
  const nodes: ConfigNode[] = [];
  for (const node of raw) {
    const fields = new Fields(node, problems);
    const read = NODE_READERS[node.plugin](fields);
    warnings.push(...fields.unknown());
    if (read !== undefined) {
      nodes.push(read);
    }
  }
  if (raw.length === 0 && problems.found.length === 0) {
    problems.add('The block-device configuration is empty', { file: source });
  }
  problems.throwIfAny();
  return { nodes, warnings };
}

/** A plugin's map after flattening: no plugin keys left inside, name and base decided. */
export interface RawNode {
  readonly plugin: PluginName;
  readonly name: string;
  readonly base?: string;
  readonly at: Place;
  readonly entries: ReadonlyMap<string, Entry>;
}

function flattenAll(top: Located, problems: Problems): RawNode[] {
  if (top.kind !== 'list') {
    problems.add('The block-device configuration must be a list', top.at);
    return [];
  }
  return top.items.flatMap((item) => {
    if (item.kind !== 'map') {
      problems.add('Config entry is not a map', item.at);
      return [];
    }
    if (item.entries.size !== 1) {
      const keys = [...item.entries.keys()].map((key) => `"${key}"`).join(', ');
      problems.add(`Config entry must have a single key, found ${keys || 'none'}`, item.at);
      return [];
    }
    return [...item.entries].flatMap(([key, entry]) => flattenTop({ key, entry }, problems));
  });
}

function flattenTop({ key, entry }: { key: string; entry: Entry }, problems: Problems): RawNode[] {
  if (!isPlugin(key)) {
    const known = PLUGINS.join(', ');
    problems.add(`"${key}" is not a plugin`, entry.at, `The plugins are ${known}`);
    return [];
  }
  return flatten({ plugin: key, entry, parent: undefined }, problems);
}

interface Step {
  readonly plugin: PluginName;
  readonly entry: Entry;
  readonly parent: string | undefined;
}

function flatten({ plugin, entry, parent }: Step, problems: Problems): RawNode[] {
  const { value, at } = entry;
  if (value !== undefined && value.kind !== 'map') {
    problems.add(`Value of "${plugin}" is not a map`, value.at);
    return [];
  }
  const all = value?.entries ?? new Map<string, Entry>();
  const base = textOf(all.get('base')) ?? parent;
  const name = textOf(all.get('name')) ?? (base === undefined ? plugin : `${plugin}_${base}`);
  const children: RawNode[] = [];
  const entries = new Map<string, Entry>();
  for (const [key, child] of all) {
    if (isPlugin(key)) {
      children.push(...flatten({ plugin: key, entry: child, parent: name }, problems));
    } else if (key === 'partitions') {
      entries.set(key, flattenPartitions(child, children, problems));
    } else {
      entries.set(key, child);
    }
  }
  return [...children, { plugin, name, ...(base === undefined ? {} : { base }), at, entries }];
}

/** The list without plugin keys; what they held is appended to `children`. */
function flattenPartitions(entry: Entry, children: RawNode[], problems: Problems): Entry {
  if (entry.value?.kind !== 'list') {
    return entry;
  }
  const items = entry.value.items.map((item): Located => {
    if (item.kind !== 'map') {
      return item;
    }
    const parent = textOf(item.entries.get('name'));
    const kept = new Map<string, Entry>();
    for (const [key, child] of item.entries) {
      if (isPlugin(key)) {
        children.push(...flatten({ plugin: key, entry: child, parent }, problems));
      } else {
        kept.set(key, child);
      }
    }
    return { ...item, entries: kept };
  });
  return { at: entry.at, value: { ...entry.value, items } };
}

function isPlugin(key: string): key is PluginName {
  return (PLUGINS as readonly string[]).includes(key);
}

function textOf(entry: Entry | undefined): string | undefined {
  return entry?.value?.kind === 'text' ? entry.value.text : undefined;
}
