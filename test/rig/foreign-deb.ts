/** Debian packages of another architecture than this host's: unpacked, never installed or run. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Downloads a package with lists of its own, and unpacks it into `dir`; where its files are. */
export function unpackForeignDeb(name: string, architecture: string, dir: string): string {
  const state = path.join(dir, 'apt');
  mkdirSync(path.join(state, 'lists/partial'), { recursive: true });
  writeFileSync(path.join(state, 'status'), '');
  const options = [
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    `Dir::State=${state}`,
    `Dir::State::status=${state}/status`,
    `Dir::Cache=${state}`,
    'Acquire::Languages=none',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  execFileSync('apt-get', ['-q', ...options, 'update'], { cwd: dir, stdio: 'ignore' });
  execFileSync('apt-get', ['-q', ...options, 'download', name], { cwd: dir, stdio: 'ignore' });
  const file = readdirSync(dir).find((one) => one.startsWith(`${name}_`)) ?? '';
  execFileSync('dpkg-deb', ['-x', path.join(dir, file), path.join(dir, name)]);
  return path.join(dir, name);
}
