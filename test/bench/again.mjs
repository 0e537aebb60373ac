/** Builds again of debian-minimal on layers, against upstream's cold build on the same inputs. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root, say } from '../setup.mjs';
import { installDebianPackages } from '../setup-host.mjs';
import { hostSources } from './apt-sources.mjs';
import { inTemporaryDirectory, letDiskRest, seconds } from './measure.mjs';

const THEIRS = '/usr/bin/disk-image-create';
const OURS = path.join(root, 'bin/disk-image-create');

/** Upstream's time, once for all rows of a run. */
let theirs;

/**
 * Times a build of the same system as upstream's cold one, after `change` to what a first build was made
 * of. `change` gets the directory of an element with a late hook, and returns more arguments.
 */
export async function measureAgain(change) {
  if (!existsSync(THEIRS)) {
    installDebianPackages(['python3-diskimage-builder', 'debootstrap', 'kpartx', 'uuid-runtime']);
  }
  return inTemporaryDirectory((dir) => {
    if (theirs === undefined) {
      theirs = build(THEIRS, path.join(dir, 'theirs'), { arguments: [], elements: [] });
      say(`upstream, cold: ${theirs.toFixed(1)} s`);
    }
    const work = path.join(dir, 'ours');
    const element = path.join(dir, 'elements/late');
    writeHook(element, 'first');
    // With a partition table and a boot loader, which upstream cannot write on every machine.
    const elements = ['vm', 'late'];
    const cold = build(OURS, work, { arguments: [], elements, path: path.dirname(element) });
    say(`ours, cold: ${cold.toFixed(1)} s`);
    const more = change(element) ?? [];
    const ours = build(OURS, work, { arguments: more, elements, path: path.dirname(element) });
    return { ours, theirs, ratio: ours / theirs };
  });
}

/** The last hook of the last phase in the target. */
export function writeHook(element, word) {
  mkdirSync(path.join(element, 'finalise.d'), { recursive: true });
  const file = path.join(element, 'finalise.d/99-late');
  writeFileSync(file, `#!/bin/bash\nset -eu\necho ${word} >/etc/late\n`, { mode: 0o755 });
}

function build(command, dir, what) {
  if (command === THEIRS) {
    rmSync(dir, { recursive: true, force: true });
  }
  mkdirSync(dir, { recursive: true });
  const cache = ['--image-cache', path.join(dir, 'cache')];
  const words = [...cache, '-o', 'image', ...what.arguments, 'debian-minimal', ...what.elements];
  letDiskRest();
  const env = {
    ...process.env,
    ...hostSources(),
    ELEMENTS_PATH: what.path,
    OVERWRITE_OLD_IMAGE: '1',
  };
  return seconds([command, ...words], { cwd: dir, env });
}
