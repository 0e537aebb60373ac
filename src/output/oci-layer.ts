/**
 * One layer of an image, in one reading of its tree:
 *
 *     GNU tar ──▶ whiteouts ──▶ digest of the layer ──▶ gzip or zstd ──▶ blob of the archive
 */
import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Context } from '../events/event.ts';
import type { Compression } from '../plan/container-plan.ts';
import { startTool, type ToolStream } from '../sandbox/tool-stream.ts';
import { layerArgv, ZSTD_ARGV } from './commands.ts';
import type { LayerSource } from './container-image.ts';
import type { ImageArchive } from './oci-archive.ts';
import type { Blob, WrittenLayer } from './oci-documents.ts';
import { WhiteoutConversion } from './oci-whiteouts.ts';
import type { Argv } from './writer.ts';

export interface LayerRules {
  readonly compression: Compression;
  /** Seconds since 1970; later times of files become this. */
  readonly newest?: number;
  /** Members that stay out, as patterns of GNU tar. */
  readonly leaveOut: readonly string[];
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
  const run = (argv: Argv): ToolStream => {
    const tool = startTool(argv, running, { input: argv[0] !== 'tar' });
    tools.push(tool);
    return tool;
  };
  try {
    const diff = createHash('sha256');
    const layer = bytesOf(run(layerArgv(source.directory, to.rules)), diff);
    const blob = await addCompressed(layer, to, run);
    return { blob, diffId: `sha256:${diff.digest('hex')}`, createdBy: source.createdBy };
  } finally {
    stop.abort();
    await Promise.allSettled(tools.map(({ done }) => done));
  }
}

/** The bytes of the layer. A tar that fails fails the stream, so that half a layer is never taken for one. */
function bytesOf(tar: ToolStream, diff: Hash): Readable {
  return Readable.from(gathered(converted(tar, diff)), { objectMode: false });
}

async function* converted(tar: ToolStream, diff: Hash): AsyncGenerator<Buffer> {
  const conversion = new WhiteoutConversion();
  for await (const chunk of tar.output) {
    for (const piece of conversion.push(chunk as Buffer)) {
      diff.update(piece);
      yield piece;
    }
  }
  await tar.done;
  conversion.end();
}

const GATHERED_BYTES = 256 * 1024;

/** The same bytes in larger pieces: a tree of small files is mostly headers. */
async function* gathered(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    held.push(piece);
    bytes += piece.length;
    if (bytes >= GATHERED_BYTES) {
      yield Buffer.concat(held);
      held = [];
      bytes = 0;
    }
  }
  if (bytes > 0) {
    yield Buffer.concat(held);
  }
}

async function addCompressed(
  layer: Readable,
  { archive, rules }: { readonly archive: ImageArchive; readonly rules: LayerRules },
  run: (argv: Argv) => ToolStream,
): Promise<Blob> {
  switch (rules.compression) {
    case 'none':
      return archive.addBlob(layer);
    case 'gzip': {
      // In this process: gzip and pigz do not write the same bytes.
      const gzip = createGzip();
      const [blob] = await Promise.all([archive.addBlob(gzip), pipeline(layer, gzip)]);
      return blob;
    }
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
async function feed(layer: Readable, tool: ToolStream): Promise<void> {
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
