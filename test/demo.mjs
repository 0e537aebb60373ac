/**
 * `npm run demo`: sets up, builds `vm debian-minimal` into .demo/, boots the image until its login
 * prompt, and says what was done.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { asRoot, root, say, setup } from './setup.mjs';

const ELEMENTS = ['vm', 'debian-minimal'];

if (process.getuid() !== 0) {
  console.error('Building an image needs root. Run this instead:');
  console.error(`  ${asRoot('run demo')}`);
  process.exit(3);
}
setup();
const dir = path.join(root, '.demo');
const image = path.join(dir, 'demo.qcow2');
const events = build();
const bootMs = await bootImage();
report(events, bootMs);

/** Builds the image; its events. */
function build() {
  mkdirSync(dir, { recursive: true });
  const file = path.join(dir, 'events.jsonl');
  rmSync(file, { force: true });
  const args = ['--events', file, '-o', image.replace(/\.qcow2$/, ''), ...ELEMENTS];
  say(`Building: disk-image-create ${ELEMENTS.join(' ')}`);
  const { status } = spawnSync(path.join(root, 'bin/disk-image-create'), args, {
    stdio: 'inherit',
    env: { ...process.env, OVERWRITE_OLD_IMAGE: '1' },
  });
  if (status !== 0) {
    process.exit(status ?? 1);
  }
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line));
}

/** Boots the image until its login prompt; how long that took. */
async function bootImage() {
  say('Booting the image in QEMU, without KVM');
  // Installed by the setup, hence not imported at the top.
  const { tsImport } = await import('tsx/esm/api');
  const { boot } = await tsImport('./rig/boot.ts', import.meta.url);
  const start = performance.now();
  const machine = await boot(image, { onConsole: (text) => process.stdout.write(text) });
  try {
    await machine.waitForLogin();
    return performance.now() - start;
  } finally {
    await machine[Symbol.asyncDispose]();
  }
}

/** What was built, where, how long each phase took, and that it booted. */
function report(events, bootMs) {
  const phases = events
    .filter(({ kind }) => kind === 'phase-end')
    .map(({ phase, durationMs }) => [phase, durationMs]);
  const steps = events
    .filter(({ kind }) => kind === 'step-end')
    .map(({ step, durationMs }) => [step, durationMs]);
  const total = events.find(({ kind }) => kind === 'build-end').durationMs;
  const { elements } = events.find(({ kind }) => kind === 'build-start');
  console.log('\n');
  say(`Built ${elements.join(' ')}`);
  for (const artifact of events.filter(({ kind }) => kind === 'artifact')) {
    const size = (artifact.sizeBytes / 1e6).toFixed(0);
    console.log(`   ${path.resolve(artifact.path)} (${artifact.type}, ${size} MB)`);
  }
  for (const [name, ms] of [...phases, ...steps, ['whole build', total], ['boot', bootMs]]) {
    console.log(`   ${name.padEnd(20)} ${(ms / 1000).toFixed(1).padStart(7)} s`);
  }
  say('It booted to its login prompt');
}
