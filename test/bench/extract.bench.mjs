/**
 * Extracting a root tarball with 500 MB of files, as a share of GNU tar with the best decompressor that
 * there is: all that we do besides is to keep the archive from getting out.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { findTool, root } from '../setup.mjs';
import { alternate, inTemporaryDirectory, seconds, startAfresh } from './measure.mjs';

export const name = 'extract 500 MB';
/** Not slower. */
export const goal = 1;
export const unit = 's';

const BYTES = 500e6;
const ROUNDS = 5;
/** The fastest first, as measured. */
const DECOMPRESSORS = ['igzip', 'pigz', 'gzip'];

export function measure() {
  return inTemporaryDirectory((dir) => {
    const archive = path.join(dir, 'root.tar.gz');
    makeArchive(archive, dir);
    const target = path.join(dir, 'target');
    const decompress = DECOMPRESSORS.find((tool) => findTool(tool) !== undefined);
    const tar = 'tar -xpf - --numeric-owner --acls --xattrs "--xattrs-include=*" -C "$2"';
    const theirs = ['bash', '-c', `set -o pipefail; ${decompress} -dc "$1" | ${tar}`, 'bash'];
    const ours = [process.execPath, path.join(root, 'bin/dibkit'), 'extract'];
    const timed = (argv) => () => {
      startAfresh(target);
      return seconds([...argv, archive, target]);
    };
    return alternate(ROUNDS, timed(ours), timed(theirs));
  });
}

/** Files of this host's, in the order of their names, until there are enough. */
function makeArchive(archive, dir) {
  const list = execFileSync('find', ['/usr', '-xdev', '-type', 'f', '-printf', '%s\t%p\n'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  let total = 0;
  const chosen = [];
  for (const line of list.split('\n').slice(0, -1).sort(byName)) {
    const [size, file] = line.split('\t');
    total += Number(size);
    if (total > BYTES) {
      break;
    }
    chosen.push(file);
  }
  const names = path.join(dir, 'names');
  writeFileSync(names, chosen.join('\0'));
  const args = ['--create', '--gzip', '--file', archive, '--null', '--files-from', names];
  execFileSync('tar', ['--absolute-names', '--transform=s,^/,,', ...args], {
    env: { ...process.env, GZIP: '-1' },
    stdio: 'ignore',
  });
}

function byName(one, other) {
  const [a, b] = [one, other].map((line) => line.slice(line.indexOf('\t')));
  return a < b ? -1 : 1;
}
