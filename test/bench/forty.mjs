/** 40 elements that need no network: an operating system, and others with a hook each. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const COUNT = 40;
const PHASES = ['extra-data', 'pre-install', 'install', 'post-install', 'finalise', 'cleanup'];

/** Writes all but `others` of them into a directory; their names. */
export function writeElements(directory, others) {
  const names = Array.from({ length: COUNT - others }, (_, index) => `element-${index}`);
  for (const [index, name] of names.entries()) {
    const phase = `${PHASES[index % PHASES.length]}.d`;
    writeHook(path.join(directory, name, phase, `50-${name}`), ':');
  }
  return names;
}

/** Writes an executable shell script, and the directories that it is in. */
export function writeHook(file, commands) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/bash\n${commands}\n`, { mode: 0o755 });
}
