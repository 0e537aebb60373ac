/**
 * Lists the upper directories of overlays. The kernel's marks are looked for only where they mean something: at
 * devices, and at directories of which another upper has the same. tar reads them, which no other tool that a host
 * is sure to have does.
 */
import type { Readable } from 'node:stream';
import type { Context } from '../events/event.ts';
import { startTool } from '../sandbox/tool-stream.ts';
import type { TreeEntry } from './compare-trees.ts';
import type { Upper, UpperEntry, UpperKind } from './layer-members.ts';
import { readTarEntries } from './tar-entries.ts';
import { bytesOf } from './tar-records.ts';

/** Absolute directories, lowest first. @throws Failed `tool` */
export async function readUppers(
  directories: readonly string[],
  context: Context,
): Promise<readonly Upper[]> {
  if (directories.length === 0) {
    return [];
  }
  const listed = await listAll(directories, context);
  const seen = new Set<string>();
  const unsure: { readonly entry: Listed; readonly name: string }[] = [];
  for (const { directory, entries } of listed) {
    for (const entry of entries) {
      const { path, type } = entry;
      if (path !== '' && (type === 'c' || (type === 'd' && seen.has(path)))) {
        unsure.push({ entry, name: `${bytesOf(directory)}/${path}` });
      }
      seen.add(path);
    }
  }
  const marks = await readMarks(
    unsure.map(({ name }) => name),
    context,
  );
  const marked = new Map(unsure.map(({ entry }, index) => [entry, marks[index]]));
  return listed.map(({ directory, entries }) => ({
    directory,
    entries: entries.map((entry): UpperEntry => {
      const plain = entry.type === 'd' ? 'directory' : 'other';
      return { path: entry.path, kind: marked.get(entry) ?? plain };
    }),
  }));
}

interface Listed {
  /** As find(1) says it: one letter. */
  readonly type: string;
  readonly path: string;
}

async function listAll(
  directories: readonly string[],
  context: Context,
): Promise<readonly { readonly directory: string; readonly entries: readonly Listed[] }[]> {
  const argv = ['find', ...directories, '-printf', '%y%P\\0'] as const;
  const { output, done } = startTool([...argv], context);
  const text = await textOf(output);
  await done;
  const listed: { directory: string; entries: Listed[] }[] = [];
  for (const line of text.split('\0').slice(0, -1)) {
    const entry = { type: line.slice(0, 1), path: line.slice(1) };
    if (entry.path === '') {
      listed.push({ directory: directories[listed.length] ?? '', entries: [] });
    }
    listed.at(-1)?.entries.push(entry);
  }
  return listed;
}

/** Bytes as latin1. */
async function textOf(output: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of output) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('latin1');
}

/** What overlays have marked these paths as, bytes as latin1; undefined where it is nothing of theirs. */
async function readMarks(
  names: readonly string[],
  context: Context,
): Promise<readonly (UpperKind | undefined)[]> {
  if (names.length === 0) {
    return [];
  }
  const argv = [
    ...['tar', '--create', '--file=-', '--format=posix', '--absolute-names', '--no-recursion'],
    // One device may have many names, and is then written once.
    ...['--hard-dereference', '--xattrs', '--xattrs-include=*.overlay.opaque'],
    ...['--null', '--files-from=-'],
  ] as const;
  const list = Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');
  const { output, done } = startTool(['tar', ...argv.slice(1)], context, { input: list });
  const entries = await readTarEntries(output as AsyncIterable<Buffer>);
  await done;
  if (entries.size !== names.length) {
    throw new Error(`Of ${names.length} paths in layers, tar has read ${entries.size}`);
  }
  return [...entries.values()].map(markOf);
}

function markOf({ device, xattrs }: TreeEntry): UpperKind | undefined {
  const isOpaque = [xattrs['trusted.overlay.opaque'], xattrs['user.overlay.opaque']].includes('y');
  return device === '0:0' ? 'whiteout' : isOpaque ? 'opaque' : undefined;
}
