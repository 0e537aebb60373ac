/** Where the commands that look after the cache find it. */
import path from 'node:path';
import { usageError } from '../events/failure.ts';
import { hostFacts, ownEnvironment } from './host-facts.ts';

/** What builds use without an option. `option` is that of --image-cache. @throws Failed `usage` */
export function imageCacheDirectory(option: string | undefined): string {
  if (option === '') {
    throw usageError("--image-cache must be a directory: ''");
  }
  const cache = ownEnvironment().DIB_IMAGE_CACHE || `${hostFacts().home}/.cache/image-create`;
  return path.resolve(option ?? cache);
}
