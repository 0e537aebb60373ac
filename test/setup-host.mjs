/** Installs Debian packages, or says how. */
import { spawnSync } from 'node:child_process';

const INSTALL = ['install', '--yes', '--no-install-recommends'];
const LOCK = ['-o', 'DPkg::Lock::Timeout=600'];
const UPDATE_TRIES = 60;

/**
 * Installs packages with apt-get when we are root. Ends the process with 3, after printing the one
 * command that helps, when we are not; with 1 when apt-get fails.
 */
export function installDebianPackages(packages) {
  if (packages.length === 0) {
    return;
  }
  if (spawnSync('apt-get', ['--version']).status !== 0) {
    console.error(`Install what these Debian packages have: ${packages.join(' ')}`);
    process.exit(3);
  }
  if (process.getuid() !== 0) {
    const install = ['apt-get', ...INSTALL, ...packages].join(' ');
    console.error('Some Debian packages are missing. Install them with this command, then retry:');
    console.error(`  sudo sh -c 'apt-get update && ${install}'`);
    process.exit(3);
  }
  console.log(`== Installing Debian packages: ${packages.join(' ')}`);
  update();
  const result = apt([...LOCK, ...INSTALL, ...packages], 'inherit');
  if (result.status !== 0) {
    fail(result);
  }
}

/** apt-get waits for dpkg's lock when told to, but not for the lock on its lists. */
function update() {
  for (let tries = 1; ; tries += 1) {
    const result = apt(['update'], 'pipe');
    if (result.status === 0) {
      return;
    }
    if (tries === UPDATE_TRIES || !result.stderr.includes('Could not get lock')) {
      fail(result);
    }
    // Wait, synchronously: this script has nothing else to do.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5000);
  }
}

function apt(args, stdio) {
  return spawnSync('apt-get', ['--quiet', ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    stdio: ['ignore', stdio, stdio],
  });
}

function fail(result) {
  console.error(result.stdout ?? '');
  console.error(result.stderr ?? '');
  console.error(`apt-get failed with status ${result.status}`);
  process.exit(1);
}
