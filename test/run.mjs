/**
 * `npm test [-- WORD...]`: sets up, checks style and types, runs the tests. Words choose the test
 * files whose path contains one of them; the checks are then left out.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { asRoot, root, say, setup } from './setup.mjs';

const CORES = os.availableParallelism();

/**
 * Fast tests first: what they find is found early. Pure tests share a process for each core, because to start
 * one with TypeScript takes ten times as long as what is in a file. Tests with real images wait for mirrors, boot
 * menus and locks for a third of their time: while one waits, two run.
 */
const GROUPS = [
  { name: 'unit', dir: 'test/unit', concurrency: CORES, timeoutMs: 300_000, processes: CORES },
  { name: 'rig', dir: 'test/rig', concurrency: 2, timeoutMs: 300_000 },
  { name: 'integration', dir: 'test/integration', concurrency: 3, timeoutMs: 900_000 },
];

/** Minutes each: they begin first, or one core would wait for the other at the end. */
const SLOW = [
  'ubuntu',
  'openeuler',
  'differential-debian',
  'first-image',
  'layers-kill',
  'ramdisk',
];

const CHECKS = [
  { name: 'style', argv: ['node_modules/@biomejs/biome/bin/biome', 'ci'] },
  {
    name: 'types',
    argv: ['node_modules/typescript/bin/tsc', '--noEmit', '--project', 'test/tsconfig.json'],
  },
];

const words = process.argv.slice(2);
const groups = GROUPS.map((group) => ({ ...group, files: testFiles(group.dir, words) }));

if (groups.every(({ files }) => files.length === 0)) {
  console.error(`No test file's path contains ${words.map((word) => `'${word}'`).join(' or ')}`);
  process.exit(1);
}
if (
  process.getuid() !== 0 &&
  groups.some(({ name, files }) => name !== 'unit' && files.length > 0)
) {
  console.error('Tests that build images need root. Run this instead:');
  console.error(`  ${asRoot(['test', ...(words.length > 0 ? ['--', ...words] : [])].join(' '))}`);
  process.exit(3);
}
setup();

const total = { passed: 0, failed: 0, skipped: 0 };
if (words.length === 0) {
  for (const check of CHECKS) {
    say(check.name);
    const { status } = spawnSync(process.execPath, check.argv, { cwd: root, stdio: 'inherit' });
    add(total, { passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 });
  }
}
for (const group of groups.filter(({ files }) => files.length > 0)) {
  say(`${group.name} tests`);
  add(total, runTests(group));
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;

/** Test files below a directory whose path contains one of the words; all of them without words. */
function testFiles(dir, wanted) {
  if (!existsSync(path.join(root, dir))) {
    return [];
  }
  return readdirSync(path.join(root, dir), { recursive: true })
    .map((name) => path.join(dir, name))
    .filter((file) => file.endsWith('.test.ts'))
    .filter((file) => wanted.length === 0 || wanted.some((word) => file.includes(word)))
    .sort((a, b) => slowness(b) - slowness(a) || (a < b ? -1 : 1));
}

function slowness(file) {
  const place = SLOW.indexOf(path.basename(file, '.test.ts'));
  return place === -1 ? 0 : SLOW.length - place;
}

function runTests({ files: all, concurrency, timeoutMs, processes }) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'dibkit-test-'));
  try {
    const files = inOrder(
      processes === undefined ? all.map((file) => [file]) : dealt(all, processes),
      dir,
    );
    const outcome = path.join(dir, 'outcome.json');
    const args = [
      ['--enable-source-maps', '--import', 'tsx', '--test'],
      [`--test-concurrency=${concurrency}`, `--test-timeout=${timeoutMs}`],
      ['--test-reporter=spec', '--test-reporter-destination=stdout'],
      ['--test-reporter=./test/outcome.mjs', `--test-reporter-destination=${outcome}`],
      files,
    ];
    const { status } = spawnSync(process.execPath, args.flat(), { cwd: root, stdio: 'inherit' });
    return told(existsSync(outcome) ? readFileSync(outcome, 'utf8') : '', status);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The files, shared out among so many processes. */
function dealt(files, processes) {
  const count = Math.min(processes, files.length);
  return Array.from({ length: count }, (_, index) => files.filter((_, at) => at % count === index));
}

/**
 * A file in `dir` for each process, which imports its test files. Node sorts what it is given by name, so
 * the names are numbers: what comes first here begins first.
 */
function inOrder(processes, dir) {
  return processes.map((files, index) => {
    const number = String(index).padStart(3, '0');
    const name = path.join(dir, `${number}-${path.basename(files[0], '.test.ts')}.test.mjs`);
    const urls = files.map((file) => pathToFileURL(path.join(root, file)).href);
    writeFileSync(name, urls.map((url) => `import '${url}';\n`).join(''));
    return name;
  });
}

/** What the runner counted, and why files failed as a whole. A runner that failed without a failed test counts as one. */
function told(json, status) {
  const { counts = {}, files = [] } = json === '' ? {} : JSON.parse(json);
  for (const { name, end, words } of files) {
    console.error(`\n${name} ${end}, outside of its tests. Its last words:\n${words || '(none)'}`);
  }
  const { pass = 0, fail = 0, cancelled = 0, skipped = 0, todo = 0 } = counts;
  const failed = fail + cancelled;
  return {
    passed: pass,
    failed: status !== 0 && failed === 0 ? 1 : failed,
    skipped: skipped + todo,
  };
}

function add(sum, more) {
  for (const key of Object.keys(sum)) {
    sum[key] += more[key];
  }
}
