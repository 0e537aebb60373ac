/**
 * `npm run bench [-- NAME...]`: measures the rows of test/bench and prints them side by side with
 * their goals. Exits 1 where a goal is missed. A row is a file that exports:
 *
 *     name, goal (the most that is allowed), unit (of ours and theirs),
 *     measure() -> { ours, theirs?, ratio? } ; `ratio`, else `ours`, is compared with the goal
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { asRoot, root, say, setup } from './setup.mjs';

if (process.getuid() !== 0) {
  console.error('The benchmarks build images, which needs root. Run this instead:');
  console.error(`  ${asRoot('run bench')}`);
  process.exit(3);
}
const words = process.argv.slice(2);
const dir = path.join(root, 'test/bench');
const files = readdirSync(dir)
  .filter((name) => name.endsWith('.bench.mjs'))
  .sort();
const rows = await Promise.all(files.map((name) => import(pathToFileURL(path.join(dir, name)))));
const chosen = rows.filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
);
if (chosen.length === 0) {
  console.error(`No such row; there are: ${rows.map(({ name }) => name).join(', ')}`);
  process.exit(1);
}
setup();

const table = [];
for (const row of chosen) {
  say(`Measuring ${row.name}`);
  const { ours, theirs, ratio } = await row.measure();
  const holds = (ratio ?? ours) <= row.goal;
  const shown = (value, unit) => (value === undefined ? '-' : `${value.toFixed(2)} ${unit}`.trim());
  table.push({
    name: row.name,
    ours: shown(ours, row.unit),
    theirs: shown(theirs, row.unit),
    ratio: shown(ratio, ''),
    goal: `<= ${row.goal}${ratio === undefined ? ` ${row.unit}` : ''}`,
    holds: holds ? 'holds' : 'MISSED',
  });
}
print([{ name: 'name', ours: 'ours', theirs: 'theirs', ratio: 'ratio', goal: 'goal', holds: '' }]);
print(table);
process.exitCode = table.every(({ holds }) => holds === 'holds') ? 0 : 1;

function print(lines) {
  for (const { name, ours, theirs, ratio, goal, holds } of lines) {
    const numbers = [ours, theirs, ratio, goal].map((each) => each.padStart(12)).join(' ');
    console.log(`${name.padEnd(28)}${numbers}  ${holds}`);
  }
}
