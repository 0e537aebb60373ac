/** A cold build of debian-minimal, ours against Debian's package of diskimage-builder. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { root, say } from '../setup.mjs';
import { installDebianPackages } from '../setup-host.mjs';
import { hostSources } from './apt-sources.mjs';
import { alternate, inTemporaryDirectory, seconds, startAfresh } from './measure.mjs';

/** Where the package puts its command. */
const THEIRS = '/usr/bin/disk-image-create';
const ROUNDS = 2;

/** Once for all rows of a run. */
let compared = false;

/** Times builds of one type in turn; both must have installed the same packages. */
export async function measureCold(type) {
  if (!existsSync(THEIRS)) {
    installDebianPackages(['python3-diskimage-builder', 'debootstrap', 'kpartx', 'uuid-runtime']);
  }
  return inTemporaryDirectory((dir) => {
    if (!compared) {
      comparePackages(dir);
      compared = true;
    }
    const build = (command) => () => {
      const took = buildCold(command, type, dir);
      say(`${command}: ${took.toFixed(1)} s`);
      return took;
    };
    return alternate(ROUNDS, build(ours()), build(THEIRS));
  });
}

function ours() {
  return path.join(root, 'bin/disk-image-create');
}

/** Builds into an empty directory, with an empty cache. */
function buildCold(command, type, parent) {
  const dir = path.join(parent, 'build');
  startAfresh(dir);
  return seconds(
    [
      command,
      '-t',
      type,
      '--image-cache',
      path.join(dir, 'cache'),
      '-o',
      'image',
      'debian-minimal',
    ],
    { cwd: dir, env: { ...process.env, ...hostSources(), ELEMENTS_PATH: undefined } },
  );
}

/** @throws when the two do not build the same system: then their times say nothing. */
function comparePackages(dir) {
  const lists = [ours(), THEIRS].map((command) => {
    buildCold(command, 'tar', dir);
    return installed(path.join(dir, 'build/image.tar'));
  });
  const [mine, other] = lists.map((names) => new Set(names));
  const more = [...mine].filter((name) => !other.has(name));
  const less = [...other].filter((name) => !mine.has(name));
  if (more.length + less.length > 0) {
    throw new Error(`The package lists differ: only ours ${more}; only theirs ${less}`);
  }
}

/** Names and versions of the packages that dpkg's status file in an image has. */
function installed(image) {
  const args = ['-xOf', image, '--wildcards', '*var/lib/dpkg/status'];
  const { stdout } = spawnSync('tar', args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return stdout
    .split('\n\n')
    .filter((entry) => entry.includes('Status: install ok installed'))
    .map((entry) => `${/^Package: (.*)/m.exec(entry)?.[1]}=${/^Version: (.*)/m.exec(entry)?.[1]}`);
}
