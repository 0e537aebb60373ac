/**
 * Writes the images: all of them under temporary names first, and only when every one is complete
 * are they moved to where they belong. A failure leaves what was there before as it was.
 */
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Context } from '../events/event.ts';
import { inStep } from '../events/step.ts';
import { type Format, fileName, formatsOf } from '../plan/formats.ts';
import { startTool } from '../sandbox/tool-stream.ts';
import { type Digests, digestsOf } from './checksum.ts';
import { tarArgv } from './commands.ts';
import { type Finished, publishImages } from './publish-images.ts';
import { pour, type Sink } from './stream.ts';
import { inTarOrder } from './tar-order.ts';
import type { Source, StreamSource, Writer } from './writer.ts';
import { writerOf } from './writers.ts';

export interface OutputRequest extends Source {
  /** Permissions of the images. */
  readonly mode: number;
  /** The disks beside `rawDisk`, by their names: each is written in the formats that it is. */
  readonly otherDisks?: ReadonlyMap<string, string>;
  /** Complete files that are published together with the images. */
  readonly products?: readonly Finished[];
  /** Called with all images while they still have their temporary names. */
  readonly complete?: (images: readonly Finished[]) => Promise<void>;
}

/** Writes and publishes every image of the plan's types. */
export async function writeOutputs(request: OutputRequest, context: Context): Promise<void> {
  const finished = await writeImages(request, context);
  await request.complete?.(finished);
  for (const [name, rawDisk] of request.otherDisks ?? []) {
    finished.push(...(await writeImages(await aboutDisk(request, name, rawDisk), context)));
  }
  await inStep({ step: 'publish', detail: 'Moving the images into place' }, context, () =>
    publishImages([...finished, ...(request.products ?? [])], request, context),
  );
}

/** The same request for another disk: its images have its name behind the image's. */
async function aboutDisk(
  request: OutputRequest,
  name: string,
  rawDisk: string,
): Promise<OutputRequest> {
  const staging = path.join(request.staging, `disk-${name}`);
  await mkdir(staging);
  const types = formatsOf(request.image.types).filter(({ source }) => source === 'disk');
  const image = {
    ...request.image,
    name: `${request.image.name}-${name}`,
    types: types.map(({ type }) => type),
  };
  return { ...request, rawDisk, staging, image };
}

async function writeImages(request: OutputRequest, context: Context): Promise<Finished[]> {
  const images = formatsOf(request.image.types)
    .filter((format) => format.source === 'tree' || request.rawDisk !== undefined)
    .map((format) => imageToBe(format, request));
  const work: Work = { request, context, digests: new Map() };
  await writeStreamed('archive', images, work);
  for (const image of images) {
    await writeFileOf(image, work);
  }
  await writeStreamed('disk', images, work);
  const finished: Finished[] = [];
  for (const image of images) {
    finished.push({ ...image, checksums: await writeSums(image, work) });
  }
  return finished;
}

interface Image {
  readonly format: Format;
  readonly writer: Writer;
  /** The path as the user gave it, with the suffix. */
  readonly shown: string;
  /** Where it is until all are complete. */
  readonly temporary: string;
}

interface Work {
  readonly request: OutputRequest;
  readonly context: Context;
  /** Those taken while an image was written. */
  readonly digests: Map<Image, Digests>;
}

function imageToBe(format: Format, request: OutputRequest): Image {
  const writer = writerOf(format.type);
  const itself = writer.kind === 'disk' ? request.rawDisk : undefined;
  return {
    format,
    writer,
    shown: fileName(request.image.name, format),
    temporary: itself ?? path.join(request.staging, fileName('image', format)),
  };
}

/** Everything that is made of one stream, in one reading of it. */
async function writeStreamed(
  of: StreamSource,
  images: readonly Image[],
  { request, context, digests }: Work,
): Promise<void> {
  const made = images.filter(({ writer }) => writer.kind === 'stream' && writer.of === of);
  if (made.length === 0) {
    return;
  }
  const { checksums } = request.image;
  // The disk goes by anyway: its own sums cost no reading of their own.
  const read = images.filter(
    ({ writer }) => of === 'disk' && writer.kind === 'disk' && checksums.length > 0,
  );
  const all = [...made, ...read];
  const what = {
    step: `write ${made.map(({ format }) => format.type).join(', ')}`,
    detail: `Writing ${made.map(({ shown }) => shown).join(', ')}`,
  };
  await inStep(what, context, async () => {
    // First: nobody keeps what a program writes before somebody reads it.
    const sinks = await Promise.all(all.map((image) => sinkOf(image, request)));
    await using stream = openStream(of, request, context);
    const taken = await pour(stream.bytes, sinks, { checksums, context }).catch(
      async (error: unknown) => {
        // Half an archive fails whoever reads it; why it is half of one says more.
        await Promise.race([stream.done, setImmediate()]);
        throw error;
      },
    );
    await stream.done;
    for (const [index, digest] of taken.entries()) {
      const image = all[index];
      if (image !== undefined && !writesItself(image)) {
        digests.set(image, digest);
      }
    }
  });
}

/** Whether a program makes the file, so that its bytes do not pass by us. */
function writesItself({ writer }: Image): boolean {
  return writer.kind === 'stream' && writer.into !== undefined;
}

async function sinkOf({ writer, temporary }: Image, request: OutputRequest): Promise<Sink> {
  if (writer.kind !== 'stream') {
    return {};
  }
  if (writer.into !== undefined) {
    const { argv, env } = await writer.into(request, temporary);
    return { file: temporary, itself: true, through: argv, env };
  }
  return {
    file: temporary,
    ...(writer.head === undefined ? {} : { head: writer.head }),
    ...(writer.through === undefined ? {} : { through: writer.through(request.image) }),
    ...(writer.hint === undefined ? {} : { hint: writer.hint }),
  };
}

interface OpenStream extends AsyncDisposable {
  readonly bytes: AsyncIterable<Buffer>;
  /** Rejects when not all bytes have come. */
  readonly done: Promise<void>;
}

function openStream(of: StreamSource, request: OutputRequest, context: Context): OpenStream {
  if (of === 'archive') {
    const stop = new AbortController();
    const signal = AbortSignal.any([context.signal, stop.signal]);
    const { output, done } = startTool(tarArgv(request.tree, request.sourceDate), {
      ...context,
      signal,
    });
    return {
      bytes: inTarOrder(output),
      done,
      // Where a sink has failed nobody reads what tar has to say any more.
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await done.catch(() => {});
      },
    };
  }
  const bytes = createReadStream(diskOf(request), { highWaterMark: 1 << 20 });
  return {
    bytes,
    done: Promise.resolve(),
    [Symbol.asyncDispose]: async () => {
      bytes.destroy();
    },
  };
}

function diskOf({ rawDisk }: OutputRequest): string {
  if (rawDisk === undefined) {
    throw new Error('No disk to make images from');
  }
  return rawDisk;
}

async function writeFileOf(image: Image, { request, context }: Work): Promise<void> {
  const { writer, format, shown, temporary } = image;
  if (writer.kind === 'file') {
    const what = { step: `write ${format.type}`, detail: `Writing ${shown}` };
    await inStep(what, context, () => writer.write(request, temporary, context));
  }
}

/** The sums of an image; those of a stream are known already. */
async function writeSums(image: Image, work: Work): Promise<readonly string[]> {
  const { checksums } = work.request.image;
  const { format, shown, temporary } = image;
  if (checksums.length === 0) {
    return [];
  }
  const taken = work.digests.get(image);
  if (taken !== undefined) {
    return taken.write(temporary, shown);
  }
  const what = { step: `checksum ${format.type}`, detail: `Reading ${shown} for its checksums` };
  return inStep(what, work.context, async () =>
    (await digestsOf(temporary, checksums)).write(temporary, shown),
  );
}
