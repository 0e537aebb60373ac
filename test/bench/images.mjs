/** What the rows about images share: a tree as compressible as a system, in memory, and builds of it. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { root } from '../setup.mjs';
import { writeHook } from './forty.mjs';
import { seconds } from './measure.mjs';

/** Larger files would make the tree another one on every host. */
const MOST_BYTES = 32e6;

/** Calls `work` with `{ dir, tree, build }`, all in memory: a tree of so many bytes, and what builds it. */
export async function withSystem(bytes, work) {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
  const dir = mkdtempSync(path.join(parent, 'dibkit-bench-'));
  try {
    const tree = path.join(dir, 'tree');
    copyHost(tree, bytes);
    const copied = path.join(dir, 'elements/copied');
    writeHook(path.join(copied, 'root.d/20-copied'), 'cp -a "$BENCH_TREE" "$TARGET_ROOT/srv"');
    writeFileSync(path.join(copied, 'element-deps'), 'tiny\n');
    return await work({ dir, tree, build: (types, ...options) => build(dir, types, options) });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Builds images of the tree from nothing; the seconds that it took. The images are in `images/`. */
function build(dir, types, options) {
  const images = path.join(dir, 'images');
  rmSync(images, { recursive: true, force: true });
  mkdirSync(images);
  const env = {
    ...process.env,
    BENCH_TREE: path.join(dir, 'tree'),
    ELEMENTS_PATH: `${path.join(dir, 'elements')}:${path.join(root, 'test/rig/elements')}`,
  };
  const where = ['--no-cache', '--image-cache', path.join(dir, 'cache'), '-o', 'image'];
  return seconds(
    [
      path.join(root, 'bin/disk-image-create'),
      ...['-n', '-t', types, ...where, ...options, 'copied', 'block-device-mbr'],
    ],
    { cwd: images, env },
  );
}

/** Files of this host's /usr, as often as it takes. */
function copyHost(tree, bytes) {
  let left = bytes;
  for (let round = 0; left > 0; round += 1) {
    const files = readdirSync('/usr', { recursive: true, withFileTypes: true });
    for (const entry of files.filter((each) => each.isFile())) {
      const from = path.join(entry.parentPath, entry.name);
      const { size } = statSync(from);
      if (size > MOST_BYTES || left <= 0) {
        continue;
      }
      const to = path.join(tree, String(round), from);
      mkdirSync(path.dirname(to), { recursive: true });
      copyFileSync(from, to);
      left -= size;
    }
  }
}

/** The events of the last build that had `--events FILE`. */
export function eventsIn(file) {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}
