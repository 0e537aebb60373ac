/**
 * Writes the images: all of them under temporary names first, and only when every one is complete
 * are they moved to where they belong. A failure leaves what was there before as it was.
 */
import { chmod, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { publish } from '../cache/publish.ts';
import type { Context } from '../events/event.ts';
import { inStep } from '../events/step.ts';
import type { ImagePlan } from '../plan/build-plan.ts';
import { type Format, formatsOf } from '../plan/formats.ts';
import { runTool } from '../sandbox/process.ts';
import { writeChecksums } from './checksum.ts';
import { convertArgv, tarArgv } from './commands.ts';
import { renameAside } from './old-image.ts';

export interface OutputRequest {
  readonly image: ImagePlan;
  /** The finished tree, with nothing mounted in it. */
  readonly tree: string;
  /** The finished raw disk; absent when no disk format is wanted. In `staging` if raw is wanted. */
  readonly rawDisk?: string;
  /** A directory of ours on the file system of the images. */
  readonly staging: string;
  /** Permissions of the images. */
  readonly mode: number;
}

/** Writes and publishes every image of `formats`. */
export async function writeOutputs(request: OutputRequest, context: Context): Promise<void> {
  const formats = formatsOf(request.image.types).filter(
    (format) => format.source === 'tree' || request.rawDisk !== undefined,
  );
  const finished: Finished[] = [];
  for (const format of formats) {
    finished.push(await writeOne(format, request, context));
  }
  await inStep({ step: 'publish', detail: 'Moving the images into place' }, context, async () => {
    const how = { now: new Date(), overwrite: request.image.overwrite, mode: request.mode };
    for (const one of finished) {
      await publishOne(one, how, context);
    }
  });
}

interface Finished {
  readonly format: Format;
  readonly temporary: string;
  readonly checksums: readonly string[];
  /** The path as the user gave it, with the suffix. */
  readonly shown: string;
  readonly final: string;
}

async function writeOne(
  format: Format,
  request: OutputRequest,
  context: Context,
): Promise<Finished> {
  const shown = `${request.image.name}.${format.type}`;
  const temporary =
    isTheDisk(format) && request.rawDisk !== undefined
      ? request.rawDisk
      : await inStep({ step: `write ${format.type}`, detail: `Writing ${shown}` }, context, () =>
          writeTemporary(format, request, context),
        );
  const checksums =
    request.image.checksums.length === 0
      ? []
      : await inStep(
          { step: `checksum ${format.type}`, detail: `Reading ${shown} for its checksums` },
          context,
          () => writeChecksums(temporary, shown, request.image.checksums),
        );
  return { format, temporary, checksums, shown, final: path.resolve(request.image.cwd, shown) };
}

/** A raw image is the disk itself: it has been written. */
function isTheDisk(format: Format): boolean {
  return format.source === 'disk' && format.qemuImg === undefined;
}

async function writeTemporary(
  format: Format,
  request: OutputRequest,
  context: Context,
): Promise<string> {
  const file = path.join(request.staging, `image.${format.type}`);
  const { rawDisk } = request;
  if (format.source === 'tree') {
    const compressor = format.type === 'tgz' ? request.image.gzip : undefined;
    await runTool(tarArgv(request.tree, file, compressor), context);
    return file;
  }
  if (rawDisk === undefined) {
    throw new Error(`No disk to make ${format.type} from`);
  }
  context.emit({
    kind: 'message',
    level: 'info',
    text: 'Converting image using qemu-img convert',
  });
  await runTool(convertArgv(format, { raw: rawDisk, to: file }, request.image), context);
  return file;
}

async function publishOne(
  one: Finished,
  how: { readonly now: Date; readonly overwrite: boolean; readonly mode: number },
  context: Context,
): Promise<void> {
  if (one.format.keepsOld && !how.overwrite) {
    await renameAside(one.final, how.now, context.emit);
  }
  // A sum of the old image beside the new one would be a lie.
  for (const name of ['md5', 'sha256']) {
    await rm(`${one.final}.${name}`, { force: true });
  }
  await chmod(one.temporary, how.mode);
  await publish(one.temporary, one.final);
  for (const checksum of one.checksums) {
    await publish(checksum, `${one.final}${path.extname(checksum)}`);
  }
  const { size } = await stat(one.final);
  context.emit({ kind: 'artifact', type: one.format.type, path: one.shown, sizeBytes: size });
}
