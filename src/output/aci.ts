/**
 * The image of an App Container: an archive of the tree below `rootfs/`, and `manifest` beside it.
 * Source: lib/disk-image-create (compat); App Container specification, "Image Layout".
 */
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { startTool } from '../sandbox/tool-stream.ts';
import { aciArgv } from './commands.ts';
import { pour } from './stream.ts';
import { inTarOrder } from './tar-order.ts';
import type { Writer } from './writer.ts';

/** Without a manifest, which `ACI_MANIFEST` names, the archive is written and the lack is told (compat). */
export const writeAci: (Writer & { kind: 'file' })['write'] = async (source, file, context) => {
  const { aciManifest, cwd } = source.image;
  const beside = path.join(source.staging, 'aci');
  if (aciManifest === undefined) {
    const text = 'No ACI_MANIFEST specified: the image has no manifest, and rkt will not take it';
    context.emit({ kind: 'message', level: 'warning', text });
  } else {
    await mkdir(beside);
    await copyFile(path.resolve(cwd, aciManifest), path.join(beside, 'manifest'));
  }
  const manifestIn = aciManifest === undefined ? undefined : beside;
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const argv = aciArgv(source.tree, { sourceDate: source.sourceDate, manifestIn });
  const { output, done } = startTool(argv, { ...context, signal });
  try {
    await pour(inTarOrder(output), [{ file }], { checksums: [], context });
    await done;
  } finally {
    stop.abort();
    await done.catch(() => {});
  }
};
