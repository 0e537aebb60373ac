/**
 * What upstream does not agree on with itself: builds elements of its package twice, with another order of Python's sets,
 * and prints how the two images differ, a line for each path. Takes minutes, so that no test waits for it:
 *
 *     node --import tsx test/by-hand/noise-floor.ts debian-minimal
 */
import {
  compareBuilt,
  hostSources,
  lastWords,
  openDifferential,
  UPSTREAM_ELEMENTS,
} from '../rig/differential.ts';

await using pair = await openDifferential();
const build = (seed: string) =>
  pair.build('upstream', {
    args: process.argv.slice(2),
    elementsPath: [UPSTREAM_ELEMENTS],
    env: { ...hostSources(), PYTHONHASHSEED: seed },
  });
const [one, two] = await Promise.all([build('1'), build('2')]);
for (const { status, log } of [one, two]) {
  if (status !== 0) {
    throw new Error(await lastWords(log));
  }
}
const findings = compareBuilt(one, two).filter(({ what }) => what !== 'time');
process.stdout.write(
  findings.map(({ path, what }) => `${path}: ${what}\n`).join('') +
    `${findings.length} differences\n`,
);
