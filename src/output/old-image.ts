/** Renames an existing image aside, with its checksums, as upstream does (compat). */
import { access, rename } from 'node:fs/promises';
import path from 'node:path';
import type { Emit } from '../events/event.ts';

/** `dir/name-YYYY.MM.DD-HH.MM.SS.ext`, local time. Source: lib/img-functions, `finish_image`. */
export function asideName(file: string, now: Date): string {
  const extension = path.extname(file);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('.');
  const time = [two(now.getHours()), two(now.getMinutes()), two(now.getSeconds())].join('.');
  return `${file.slice(0, file.length - extension.length)}-${day}-${time}${extension}`;
}

/** Moves `file`, and its `.md5` and `.sha256`, out of the way; nothing happens when there is none. */
export async function renameAside(file: string, now: Date, emit: Emit): Promise<void> {
  const aside = asideName(file, now);
  for (const suffix of ['', '.md5', '.sha256']) {
    const from = `${file}${suffix}`;
    const there = await access(from).then(
      () => true,
      () => false,
    );
    if (there) {
      await rename(from, `${aside}${suffix}`);
      emit({ kind: 'artifact-renamed', from, to: `${aside}${suffix}` });
    }
  }
}
