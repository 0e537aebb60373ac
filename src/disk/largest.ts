/** Which directories of a tree take the most room: what to look at when it is too much. Pure. */
import { MIB } from './sizes.ts';
import type { TreeEntry } from './tree-need.ts';

/** Adds up files by the first two parts of the directory that they are in. */
export class LargestPlaces {
  readonly #bytes = new Map<string, number>();

  add({ type, path, sizeBytes, storedBytes }: TreeEntry): void {
    if (type === 'f') {
      const parts = path.split('/');
      const place = parts.length === 1 ? path : parts.slice(0, -1).slice(0, 2).join('/');
      const bytes = Math.min(sizeBytes, Math.max(storedBytes, 1));
      this.#bytes.set(place, (this.#bytes.get(place) ?? 0) + bytes);
    }
  }

  /** `usr/lib 33 MiB, ballast 20 MiB`; undefined where nothing has a MiB. */
  describe(most = 4): string | undefined {
    const places = [...this.#bytes]
      .filter(([, bytes]) => bytes >= MIB)
      .sort(([, a], [, b]) => b - a)
      .slice(0, most)
      .map(([place, bytes]) => `${nameOf(place)} ${Math.round(bytes / MIB)} MiB`);
    return places.length === 0 ? undefined : places.join(', ');
  }
}

/** Paths have one character a byte. */
function nameOf(place: string): string {
  return `/${Buffer.from(place, 'latin1').toString('utf8')}`;
}
