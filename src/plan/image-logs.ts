/** What the log files of several images are called. Pure. */
import path from 'node:path';

/** By the names of images, which are paths: the last part where that says which, else all of it. */
export function logNames(images: readonly string[]): ReadonlyMap<string, string> {
  const last = images.map((image) => path.posix.basename(image));
  const taken = new Set<string>();
  return new Map(
    images.map((image, index) => {
      const own = last[index] ?? '';
      const isOnly = last.filter((other) => other === own).length === 1;
      const wanted = isOnly ? own : image.replaceAll(/[^\w.-]+/g, '-').replace(/^-+/, '');
      const name = unused(wanted, taken);
      taken.add(name);
      return [image, `${name}.log`];
    }),
  );
}

function unused(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number++) {
    name = `${wanted}-${number}`;
  }
  return name;
}
