/** From the start of `disk-image-create` with 40 elements to the first line of its first hook. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../setup.mjs';
import { installDebianPackages } from '../setup-host.mjs';
import { writeElements, writeHook } from './forty.mjs';
import { alternate, inTemporaryDirectory } from './measure.mjs';

const OURS = path.join(root, 'bin/disk-image-create');
/** Where Debian's package puts its command. */
const THEIRS = '/usr/bin/disk-image-create';
const ROUNDS = 9;

/** Once for all rows of a run. */
let measured;

/** Seconds of ours and of Debian's package of diskimage-builder, which take turns. */
export function measureFirstHook() {
  measured ??= inTemporaryDirectory((dir) => {
    if (!existsSync(THEIRS)) {
      installDebianPackages(['python3-diskimage-builder', 'debootstrap', 'kpartx', 'uuid-runtime']);
    }
    const elements = path.join(dir, 'elements');
    const names = writeElements(elements, 1);
    // The build ends with the hook: what comes after it is not asked for.
    writeHook(
      path.join(elements, 'first/root.d/00-first'),
      'echo "$EPOCHREALTIME" >"$NOTE"; exit 1',
    );
    writeFileSync(path.join(elements, 'first/element-provides'), 'operating-system\n');
    const start = (command) => () => secondsToHook(command, ['first', ...names], { dir, elements });
    start(OURS)();
    start(THEIRS)();
    return alternate(ROUNDS, start(OURS), start(THEIRS));
  });
  return measured;
}

/** With an empty cache. @throws when the hook has not run, with the last lines. */
function secondsToHook(command, names, { dir, elements }) {
  const cwd = path.join(dir, 'build');
  rmSync(cwd, { recursive: true, force: true });
  mkdirSync(cwd);
  const note = path.join(cwd, 'note');
  const options = ['--image-cache', path.join(cwd, 'cache'), '-n', '-t', 'tar'];
  // With the variable Node reads all of a machine's certificates at each start: not what is asked for.
  const env = {
    ...process.env,
    ELEMENTS_PATH: elements,
    NOTE: note,
    NODE_EXTRA_CA_CERTS: undefined,
  };
  const start = performance.timeOrigin + performance.now();
  const { stderr, stdout } = spawnSync(command, [...options, ...names], {
    cwd,
    env,
    encoding: 'utf8',
  });
  if (!existsSync(note)) {
    const said = `${stdout}${stderr}`.split('\n').slice(-20).join('\n');
    throw new Error(`The first hook of '${command}' did not run:\n${said}`);
  }
  return Number(readFileSync(note, 'utf8')) - start / 1000;
}
