/** What the rows of the migration service share: mirrors and states of a whole distribution's size. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  createReadStream,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { root } from '../setup.mjs';
import { inTemporaryDirectory, peakMB, seconds } from './measure.mjs';

const PROGRAM = fileURLToPath(import.meta.url);
const COMMAND = path.join(root, 'bin/migration-update');

/** 125 MB of metadata, as much for each package as a distribution has. */
const PACKAGES = 50_000;

/** One record of the list that the n-th package has. */
function listLine(base, number, release = 1) {
  const name = `package-${number % 60_000}`;
  const version = `${1 + Math.floor(number / 60_000)}.${number % 17}`;
  return `${base}/Packages/p/${name}-${version}-${release}.el9.src.rpm ${name} ${version}`;
}

/** What primary-xml.ts, of the tests, is to make of the n-th package. */
function testPackage(number) {
  const [url, name, version] = listLine('', number).split(' ');
  return {
    name,
    version,
    href: url.slice(1),
    description: 'Words that describe what this package is for. '.repeat(6),
    requires: Array.from(
      { length: 17 },
      (_, index) =>
        `<rpm:entry name="pkgconfig(library-${(number * 7 + index) % 9999})" flags="GE" epoch="0" ver="${index}.${number % 9}"/>`,
    ),
  };
}

/** The rig is TypeScript; tsx is there only once the bench has set up. */
async function metadata() {
  const { register } = await import('tsx/esm/api');
  const unregister = register();
  try {
    return await import('../rig/primary-xml.ts');
  } finally {
    await unregister();
  }
}

/** Writes a repository with these packages to `dir/id`; the same bytes every time. */
async function writeRepository(dir, id, packages) {
  const { primaryXml, repomdXml } = await metadata();
  const href = 'repodata/primary.xml.gz';
  const content = gzipSync(primaryXml(packages));
  mkdirSync(path.join(dir, id, 'repodata'), { recursive: true });
  writeFileSync(path.join(dir, id, href), content);
  writeFileSync(path.join(dir, id, 'repodata/repomd.xml'), repomdXml({ href, content }));
}

/** A mirror below `dir`: `big` has all packages, `empty` has none. */
async function writeMirror(dir) {
  const packages = Array.from({ length: PACKAGES }, (_, number) => testPackage(number));
  await writeRepository(dir, 'big', packages);
  await writeRepository(dir, 'empty', []);
}

/** Serves `dir` from a process of its own while `work(url)` runs. */
async function withMirror(dir, work) {
  const child = spawn(process.execPath, [PROGRAM, dir], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const [{ url }] = await once(child, 'message');
    return await work(url);
  } finally {
    child.kill();
  }
}

function serve(dir) {
  const server = createServer((request, response) => {
    const file = path.join(dir, request.url);
    response.writeHead(200, { 'content-length': statSync(file).size });
    createReadStream(file, { highWaterMark: 1 << 20 }).pipe(response);
  });
  server.listen(0, '127.0.0.1', () => {
    process.send({ url: `http://127.0.0.1:${server.address().port}` });
  });
}

/** A configuration with one source and one target repository, whose `submit` takes no time. */
function writeConfig(dir, url, { source, target }) {
  const repository = (id) => `[{ id: ${id}, url: '${url}/${id}/repodata/repomd.xml' }]`;
  const file = path.join(dir, 'config.yaml');
  writeFileSync(path.join(dir, 'centos_9-stream.yaml'), '');
  writeFileSync(
    file,
    `target: { os: openeuler, version: 24_03_LTS, repositories: ${repository(target)} }
systems: [{ os: centos, version: 9-stream, repositories: ${repository(source)} }]
jobDirectory: ${dir}
submit: { command: [/bin/echo, got job id=z9.1] }
limits: { packagesPerRun: 1, newPercent: 100 }
`,
  );
  return file;
}

/** The command line of a watch pass. */
function watchArgv(config, state) {
  return [process.execPath, COMMAND, 'run', '--config', config, '--state', state];
}

/** Lines in the lists of the difference: 100,000 each. */
const LINES = 100_000;
/** Of the source's packages: in the history, and of the rest in the target. */
const KNOWN = 70_000;

/**
 * A mirror below `dir` whose metadata has not changed since the state of `writeState`: what is compared
 * comes from the disk.
 */
async function writeUnchangedMirror(dir) {
  await writeRepository(dir, 'source', []);
  await writeRepository(dir, 'target', []);
}

/** The files of the three lists: of the source, of the history, of the target. */
function listFiles(state) {
  const data = path.join(state, 'data');
  return [
    path.join(data, 'lists/centos_9-stream/source.list'),
    path.join(data, 'rpm_src_history_list_centos_9-stream'),
    path.join(data, 'lists/openeuler_24_03_LTS/target.list'),
  ];
}

/** A state volume in which the source has 100,000 packages, as many as the history and the target have. */
function writeState(state, mirror, url) {
  const range = (from, line) =>
    `${Array.from({ length: LINES }, (_, index) => line(from + index)).join('\n')}\n`;
  const base = (id) => `${url}/${id}`;
  const texts = [
    range(0, (number) => listLine(base('source'), number)),
    range(KNOWN - LINES, (number) =>
      number < 0 ? listLine(base('source'), -number, 'old') : listLine(base('source'), number),
    ),
    range(LINES - 10_000, (number) => listLine(base('target'), number, 2)),
  ];
  const files = listFiles(state);
  for (const [index, id] of ['source', undefined, 'target'].entries()) {
    mkdirSync(path.dirname(files[index]), { recursive: true });
    writeFileSync(files[index], texts[index]);
    if (id !== undefined) {
      const primary = readFileSync(path.join(mirror, id, 'repodata/primary.xml.gz'));
      const kept = {
        version: 1,
        url: `${base(id)}/repodata/repomd.xml`,
        digest: `sha256:${createHash('sha256').update(primary).digest('hex')}`,
        packages: LINES,
        ignored: 0,
        bytes: texts[index].length,
        readAt: '2024-11-20T02:00:00.000Z',
      };
      writeFileSync(files[index].replace(/list$/, 'json'), JSON.stringify(kept));
    }
  }
}

/** What a row measures: the watch pass, from the same state each time, and the floor. */
function subject(argv, reset, floorArgs) {
  const [node] = argv;
  const floor = [node, path.join(root, 'test/bench/watch-floor.mjs'), ...floorArgs];
  return {
    watch: {
      time: () => {
        reset();
        return seconds(argv);
      },
      peak: () => {
        reset();
        return peakMB(argv);
      },
    },
    floor: () => seconds(floor),
  };
}

/** Calls `work` with a pass that reads the metadata of 50,000 packages into an empty state. */
export function withMetadata(work) {
  return inTemporaryDirectory(async (dir) => {
    const mirror = path.join(dir, 'mirror');
    const state = path.join(dir, 'state');
    await writeMirror(mirror);
    return await withMirror(mirror, (url) => {
      const argv = watchArgv(writeConfig(dir, url, { source: 'big', target: 'empty' }), state);
      const reset = () => rmSync(state, { recursive: true, force: true });
      const file = path.join(mirror, 'big/repodata/primary.xml.gz');
      return work(subject(argv, reset, ['metadata', file, path.join(dir, 'list')]));
    });
  });
}

/** Calls `work` with a pass that compares three lists of 100,000 packages. */
export function withLists(work) {
  return inTemporaryDirectory(async (dir) => {
    const mirror = path.join(dir, 'mirror');
    const [first, state] = [path.join(dir, 'first'), path.join(dir, 'state')];
    await writeUnchangedMirror(mirror);
    return await withMirror(mirror, (url) => {
      writeState(first, mirror, url);
      const argv = watchArgv(writeConfig(dir, url, { source: 'source', target: 'target' }), state);
      const reset = () => {
        rmSync(state, { recursive: true, force: true });
        cpSync(first, state, { recursive: true });
      };
      return work(subject(argv, reset, ['difference', ...listFiles(first)]));
    });
  });
}

if (process.argv[1] === PROGRAM) {
  serve(process.argv[2]);
}
