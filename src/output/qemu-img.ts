/** The formats that qemu-img makes of the raw disk. */
import { runTool } from '../sandbox/process.ts';
import { type ConvertTo, convertArgv, mayComeUnordered } from './commands.ts';
import { orderQcow2 } from './order-qcow2.ts';
import { type Patch, patchImage } from './patch-image.ts';
import type { Writer } from './writer.ts';

export interface Driver extends ConvertTo {
  /** Makes the identifiers that qemu-img draws those of the build. */
  readonly patch?: Patch;
}

/** A writer of the format that this driver makes. */
export function convertDisk(driver: Driver): (Writer & { kind: 'file' })['write'] {
  return async (source, file, context) => {
    if (source.rawDisk === undefined) {
      throw new Error(`No disk to make ${driver.name} from`);
    }
    context.emit({
      kind: 'message',
      level: 'info',
      text: 'Converting image using qemu-img convert',
    });
    const files = { raw: source.rawDisk, to: file };
    const convert = (order: 'as-they-come' | 'in-order'): Promise<string> =>
      runTool(convertArgv(driver, files, { ...source.image, order }), context);
    if (mayComeUnordered(driver, source.image)) {
      await convert('as-they-come');
      if (!(await orderQcow2(file, context))) {
        // This qemu-img makes them in a way that we do not know: on one core, then.
        await convert('in-order');
      }
    } else {
      await convert('in-order');
    }
    if (driver.patch !== undefined) {
      await patchImage(file, driver.patch, source);
    }
  };
}
