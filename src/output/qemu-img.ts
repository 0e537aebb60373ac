/** The formats that qemu-img makes of the raw disk. */
import type { Context } from '../events/event.ts';
import { runTool } from '../sandbox/process.ts';
import { convertArgv } from './commands.ts';
import type { Source } from './writer.ts';

/** A writer of the format that `qemu-img convert -O` knows by that name. */
export function convertDisk(
  driver: string,
): (source: Source, file: string, context: Context) => Promise<void> {
  return async ({ image, rawDisk }, file, context) => {
    if (rawDisk === undefined) {
      throw new Error(`No disk to make ${driver} from`);
    }
    context.emit({
      kind: 'message',
      level: 'info',
      text: 'Converting image using qemu-img convert',
    });
    await runTool(convertArgv(driver, { raw: rawDisk, to: file }, image), context);
  };
}
