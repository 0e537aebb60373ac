/**
 * One layer of an image, in one reading of its tree:
 *
 *     GNU tar ──▶ whiteouts ──▶ digest of the layer ──▶ gzip or zstd ──▶ blob of the archive
 */
import { createHash, type Hash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import type { Context } from '../events/event.ts';
import type { Compression } from '../plan/container-plan.ts';
import { startTool, type ToolStream } from '../sandbox/tool-stream.ts';
import { ZSTD_ARGV } from './commands.ts';
import type { LayerSource } from './container-image.ts';
import { type ArchiveRules, memberList, membersArgv, treeArgv } from './layer-archive.ts';
import type { ImageArchive } from './oci-archive.ts';
import type { Blob, WrittenLayer } from './oci-documents.ts';
import { WhiteoutConversion } from './oci-whiteouts.ts';
import { GZIP_BLOCK_BYTES, gzipBlocks } from './parallel-gzip.ts';
import type { Argv } from './writer.ts';

export interface LayerRules extends ArchiveRules {
  readonly compression: Compression;
}

/** Adds the layer to the archive. @throws Failed `tool`, `disk-full` */
export async function addLayer(
  source: LayerSource,
  to: { readonly archive: ImageArchive; readonly rules: LayerRules },
  context: Context,
): Promise<WrittenLayer> {
  const stop = new AbortController();
  const running = { ...context, signal: AbortSignal.any([context.signal, stop.signal]) };
  const tools: ToolStream[] = [];
  const run = (argv: Argv, input?: Buffer): ToolStream => {
    const tool = startTool(argv, running, { input: input ?? true });
    tools.push(tool);
    return tool;
  };
  try {
    const diff = createHash('sha256');
    const { from } = source;
    const isWhole = typeof from === 'string';
    const tar = isWhole
      ? run(treeArgv(from, to.rules), Buffer.alloc(0))
      : run(membersArgv(to.rules), memberList(from.members));
    const conversion = new WhiteoutConversion(isWhole ? undefined : from.hiding);
    const layer = inBlocks(converted(tar, conversion, diff));
    const blob = await addCompressed(layer, to, run);
    return { blob, diffId: `sha256:${diff.digest('hex')}`, createdBy: source.createdBy };
  } finally {
    stop.abort();
    await Promise.allSettled(tools.map(({ done }) => done));
  }
}

/** The bytes of the layer. A tar that fails fails them, so that half a layer is never taken for one. */
async function* converted(
  tar: ToolStream,
  conversion: WhiteoutConversion,
  diff: Hash,
): AsyncGenerator<Buffer> {
  for await (const chunk of tar.output) {
    for (const piece of conversion.push(chunk as Buffer)) {
      diff.update(piece);
      yield piece;
    }
  }
  await tar.done;
  const end = conversion.end();
  diff.update(end);
  yield end;
}

/** The same bytes in blocks of one size, the last one apart: a tree of small files is mostly headers. */
async function* inBlocks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let block = Buffer.allocUnsafe(GZIP_BLOCK_BYTES);
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(block, filled, at);
      at += copied;
      filled += copied;
      if (filled === block.length) {
        yield block;
        block = Buffer.allocUnsafe(GZIP_BLOCK_BYTES);
        filled = 0;
      }
    }
  }
  if (filled > 0) {
    yield block.subarray(0, filled);
  }
}

async function addCompressed(
  layer: AsyncIterable<Buffer>,
  { archive, rules }: { readonly archive: ImageArchive; readonly rules: LayerRules },
  run: (argv: Argv) => ToolStream,
): Promise<Blob> {
  switch (rules.compression) {
    case 'none':
      return archive.addBlob(layer);
    case 'gzip':
      return archive.addBlob(gzipBlocks(layer));
    case 'zstd': {
      const zstd = run(ZSTD_ARGV);
      const [blob] = await Promise.all([
        archive.addBlob(zstd.output),
        feed(layer, zstd),
        zstd.done,
      ]);
      return blob;
    }
  }
}

/** A tool that ends early breaks the pipe; why it ended says more than that. */
async function feed(layer: AsyncIterable<Buffer>, tool: ToolStream): Promise<void> {
  if (tool.input === undefined) {
    throw new Error('A tool without standard input');
  }
  try {
    await pipeline(layer, tool.input);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') {
      await tool.done;
    }
    throw error;
  }
}
