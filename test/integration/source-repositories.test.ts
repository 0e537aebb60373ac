/** source-repositories: its hook by itself, on real repositories, archives and a real server. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { type HookResult, ROOT, runHook, type TestDirectory, withFiles } from '../rig/run-hook.ts';
import { serve } from '../rig/small-server.ts';
import { git, makeRepository } from '../rig/source-repository.ts';

const ELEMENT = path.join(ROOT, 'elements/source-repositories');
const HOOK = path.join(ELEMENT, 'extra-data.d/98-source-repositories');

type Variables = Readonly<Record<string, string>>;
type Lines = string | Readonly<Record<string, string>>;

class Bench implements AsyncDisposable {
  readonly #dir: TestDirectory;
  readonly root: string;
  #runs = 0;

  constructor(dir: TestDirectory) {
    this.#dir = dir;
    this.root = dir.root;
  }

  /** The target of the latest run. */
  get target(): string {
    return path.join(this.root, `target-${this.#runs}`);
  }

  get cache(): string {
    return path.join(this.root, 'cache/source-repositories');
  }

  /** Runs the hook for a target of its own and the shared cache. */
  async run(lines: Lines, env: Variables = {}): Promise<HookResult> {
    this.#runs += 1;
    return this.again(lines, env);
  }

  /** Runs the hook once more on the latest target. */
  async again(lines: Lines, env: Variables = {}): Promise<HookResult> {
    const { target } = this;
    const hooks = `${target}-hooks`;
    await mkdir(path.join(target, 'tmp'), { recursive: true });
    await mkdir(hooks, { recursive: true });
    await link(path.join(ELEMENT, 'source-repositories.d'), `${hooks}/source-repositories.d`);
    await link(path.join(ROOT, 'elements/cache-url/bin'), `${hooks}/bin`);
    const files = typeof lines === 'string' ? { it: lines } : lines;
    for (const [name, content] of Object.entries(files)) {
      await writeFile(path.join(hooks, `source-repository-${name}`), content);
    }
    return runHook(
      [HOOK],
      {
        HOME: this.root,
        IMAGE_NAME: 'out/image',
        DIB_IMAGE_CACHE: path.join(this.root, 'cache'),
        DIB_OFFLINE: '',
        TMP_HOOKS_PATH: hooks,
        TMP_MOUNT_PATH: target,
        ...env,
      },
      path.join(this.root, 'fakes'),
    );
  }

  async read(...parts: readonly string[]): Promise<string> {
    return readFile(path.join(this.target, ...parts), 'utf8');
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#dir[Symbol.asyncDispose]();
  }
}

/** Makes a link where there is none yet. */
async function link(to: string, place: string): Promise<void> {
  if (!existsSync(place)) await symlink(to, place);
}

/** A bench with a repository `one` (master, stable, tag v1) and a `sleep` that writes down its calls. */
async function openBench(): Promise<Bench> {
  const dir = await withFiles({ 'fakes/sleep': `#!/bin/sh\necho "$@" >>"\${0%/*}/../sleeps"\n` });
  await makeRepository(path.join(dir.root, 'one'));
  return new Bench(dir);
}

function assertDone(result: HookResult): void {
  assert.equal(result.status, 0, result.stdout + result.stderr);
}

function assertFails(result: HookResult, ...said: readonly RegExp[]): void {
  assert.equal(result.status, 1, result.stdout + result.stderr);
  for (const pattern of said) assert.match(result.stderr, pattern);
}

/** An archive of `files`, whose directories are made. */
async function makeArchive(dir: string, files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tree = path.join(dir, 'archive');
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(tree, name)), { recursive: true });
    await writeFile(path.join(tree, name), content);
  }
  return execFileSync('tar', ['-C', tree, '-cz', '.']);
}

test('git: the default ref is master, and the manifest says which commit that was', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const result = await bench.run(`one git /opt/one ${one}\n`);
  assertDone(result);
  const commit = git(one, 'rev-parse', 'master');
  assert.ok(result.stdout.includes(`'master' is commit ${commit} now: DIB_REPOREF_one set to`));
  assert.equal(await bench.read('opt/one/file'), 'master\n');
  assert.equal(git(path.join(bench.target, 'opt/one'), 'rev-parse', 'fetch_master'), commit);
  assert.equal(
    await bench.read('etc/dib-manifests/dib-manifest-git-image'),
    `one git /opt/one ${one} ${commit}\n`,
  );
  assert.equal(await bench.read('etc/dib-source-repositories'), '/opt/one\n');
});

test('git: the cache is where others look for it, and the origin of the clone', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  assertDone(await bench.run(`o-n.e git /opt/one ${one}\n`));
  const sum = execFileSync('sha1sum', { input: `git_${one}\n` })
    .toString()
    .slice(0, 40);
  const cache = path.join(bench.cache, `o_n_e_${sum}`);
  assert.deepEqual((await readdir(bench.cache)).sort(), [`o_n_e_${sum}`, 'repositories_flock']);
  assert.equal(git(path.join(bench.target, 'opt/one'), 'config', 'remote.origin.url'), cache);
});

const REFS: readonly { readonly ref: string; readonly content: string }[] = [
  { ref: 'stable', content: 'stable' },
  { ref: 'v1', content: 'first' },
  { ref: 'annotated', content: 'first' },
  { ref: 'refs/changes/72/1/8', content: 'change' },
  { ref: 'COMMIT', content: 'first' },
  { ref: 'HIDDEN', content: 'change' },
];

for (const { ref, content } of REFS) {
  test(`git: takes the ref ${ref}, from a new cache and from one without it`, async () => {
    await using bench = await openBench();
    const one = path.join(bench.root, 'one');
    const written = ref
      .replace('COMMIT', git(one, 'rev-parse', 'v1'))
      .replace('HIDDEN', git(one, 'rev-parse', 'refs/changes/72/1/8'));
    assertDone(await bench.run(`one git /opt/one ${one} ${written}\n`));
    assert.equal(await bench.read('opt/one/file'), `${content}\n`);
    assert.ok(git(path.join(bench.target, 'opt/one'), 'rev-parse', `refs/heads/fetch_${written}`));
    assertDone(await bench.run(`two git /opt/one ${one}\n`));
    assertDone(await bench.run(`two git /opt/one ${one} ${written}\n`));
    assert.equal(await bench.read('opt/one/file'), `${content}\n`);
  });
}

for (const ref of ['master', '*']) {
  test(`git: two clones of ${ref} are the same, and clean, whenever and by whomever they were made`, async () => {
    await using bench = await openBench();
    const line = `one git /opt/one ${path.join(bench.root, 'one')} ${ref}\n`;
    const archives: string[] = [];
    for (const GIT_COMMITTER_NAME of ['Monday', 'Tuesday']) {
      assertDone(await bench.run(line, { GIT_COMMITTER_NAME }));
      const how = ['--sort=name', '--mtime=@0', '--create', 'opt/one'];
      archives.push(execFileSync('tar', ['-C', bench.target, ...how], { encoding: 'latin1' }));
      const clone = path.join(bench.target, 'opt/one');
      assert.equal(git(clone, 'status', '--porcelain'), '');
    }
    assert.ok(archives[0] === archives[1]);
  });
}

test('git: * takes all branches and tags and checks out the default branch, also a new one', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const line = `one git /opt/one ${one} *\n`;
  assertDone(await bench.run(line));
  const names = ['for-each-ref', '--format=%(refname)', 'refs/heads', 'refs/tags'];
  assert.equal(git(path.join(bench.target, 'opt/one'), ...names), git(one, ...names));
  git(one, 'branch', '-m', 'master', 'main');
  assertDone(await bench.run(line));
  const clone = path.join(bench.target, 'opt/one');
  assert.equal(git(clone, ...names), git(one, ...names));
  assert.equal(git(clone, 'symbolic-ref', 'HEAD'), 'refs/heads/main');
  assert.equal(await bench.read('opt/one/file'), 'master\n');
});

test('git: lkp-tests is pinned by a commit that no branch is at, and built again without its server', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const pinned = git(one, 'rev-parse', 'v1');
  // What the service's element asks for, in the variables that its page names.
  const element = path.join(ROOT, 'elements/migration-update/source-repository-migration-update');
  const lines = await readFile(element, 'utf8');
  const env = {
    DIB_MIGRATION_LKP_SRC: '/root/lkp-tests',
    DIB_MIGRATION_LKP_URL: one,
    DIB_MIGRATION_LKP_REF: pinned,
    DIB_MIGRATION_EASYPACKAGES: '/root/easypackages',
    DIB_MIGRATION_EASYPACKAGES_URL: one,
    DIB_MIGRATION_EASYPACKAGES_REF: 'stable',
  };
  const wanted = async (): Promise<void> => {
    assert.equal(await bench.read('root/lkp-tests/file'), 'first\n');
    const manifest = await bench.read('etc/dib-manifests/dib-manifest-git-image');
    assert.ok(manifest.includes(`lkp-tests git /root/lkp-tests ${one} ${pinned}\n`), manifest);
  };
  const first = await bench.run(lines, env);
  assertDone(first);
  assert.doesNotMatch(first.stdout, /DIB_REPOREF_lkp_tests/);
  await wanted();
  await rename(one, `${one}.away`);
  assertDone(await bench.run(lines, { ...env, DIB_OFFLINE: '1' }));
  await wanted();
  // Neither is it asked about a commit that is there when it may be asked.
  const online = lines.replace(/^easypackages .*$/m, '');
  assertDone(await bench.run(online, env));
  await wanted();
});

test('git: an unknown ref is an error that names it and where it stands', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const result = await bench.run({ x: `# comment\n\none git /opt/one ${one} nowhere\n` });
  assertFails(result, /source-repository-x:3: unknown ref 'nowhere'/, /DIB_REPOREF_one/);
});

test('git: a ref that one line has does not pass for that of the next (upstream: HAS_REF)', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  await makeRepository(path.join(bench.root, 'two'));
  const lines = (ref: string): string =>
    `one git /opt/one ${one}\ntwo git /opt/two ${bench.root}/two ${ref}\n`;
  assertDone(await bench.run(lines('master')));
  git(path.join(bench.root, 'two'), 'branch', 'new', 'v1');
  assertDone(await bench.run(lines('new'), { DIB_OFFLINE: '1' }));
  assert.equal(await bench.read('opt/two/file'), 'first\n');
});

test('git: online it follows the remote, also a rewritten one; offline it takes what it has', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const line = `one git /opt/one ${one}\n`;
  assertDone(await bench.run(line));
  git(one, 'reset', '--hard', '--quiet', 'stable');
  assertDone(await bench.run(line, { DIB_OFFLINE: '1' }));
  assert.equal(await bench.read('opt/one/file'), 'master\n');
  assertDone(await bench.run(line));
  assert.equal(await bench.read('opt/one/file'), 'stable\n');
});

test('git: a branch that stands in the way of a new one is pruned', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  assertDone(await bench.run(`one git /opt/one ${one} stable\n`));
  git(one, 'branch', '-m', 'stable', 'stable/x');
  assertDone(await bench.run(`one git /opt/one ${one} stable/x\n`));
  assert.equal(await bench.read('opt/one/file'), 'stable\n');
});

test('git: a cache made by upstream, with a work tree and its older name, is kept in use', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const sum = execFileSync('sha1sum', { input: `git_${one}\n` })
    .toString()
    .slice(0, 40);
  const older = path.join(bench.root, 'cache/repository-sources', sum);
  git(bench.root, 'clone', '--quiet', one, older);
  await writeFile(path.join(older, 'yarn.lock'), 'kept');
  await writeFile(path.join(older, '.git/refs/heads/stable.lock'), 'left by a killed build');
  assertDone(await bench.run(`one git /opt/one ${one} stable\n`));
  assert.equal(await bench.read('opt/one/file'), 'stable\n');
  const adopted = path.join(bench.cache, `one_${sum}`);
  assert.equal(await readFile(path.join(adopted, 'yarn.lock'), 'utf8'), 'kept');
});

test('git: a cache that a killed build or a full disk has broken is cloned anew', async () => {
  await using bench = await openBench();
  const line = `one git /opt/one ${bench.root}/one\n`;
  assertDone(await bench.run(line));
  const [name = ''] = (await readdir(bench.cache)).filter((each) => each.startsWith('one_'));
  await writeFile(path.join(bench.cache, name, 'HEAD'), '');
  await mkdir(path.join(bench.cache, `${name}.tmp`));
  const result = await bench.run(line);
  assertDone(result);
  assert.match(result.stdout, /is no repository: it is cloned anew/);
  assert.equal(await bench.read('opt/one/file'), 'master\n');
});

test('git: the objects in the image are its own, not links into the cache', async () => {
  await using bench = await openBench();
  assertDone(await bench.run(`one git /opt/one ${bench.root}/one\n`));
  const linked = execFileSync('find', [
    path.join(bench.target, 'opt/one'),
    '-type',
    'f',
    '-links',
    '+1',
  ]);
  assert.equal(linked.toString(), '');
});

test('git: what is in the image already is accepted when it is the same, and else named', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  await makeRepository(path.join(bench.root, 'two'));
  assertDone(await bench.run(`one git /opt/one ${one}\n`));
  assertDone(await bench.again(`one git /opt/one ${one}\n`));
  assertFails(await bench.again(`one git /opt/one ${one} stable\n`), /no branch 'fetch_stable'/);
  assertFails(
    await bench.again(`one git /opt/one ${bench.root}/two\n`),
    /holds a clone of '.*one_/,
  );
  await writeFile(path.join(bench.target, 'opt/file'), '');
  assertFails(await bench.again(`one git /opt ${one}\n`), /'.*\/opt' is in use: it holds/);
});

test('git: a remote that fails is asked five times, five seconds apart', async () => {
  await using bench = await openBench();
  await using server = await serve(() => ({ status: 503 }));
  const result = await bench.run(`one git /opt/one ${server.url}/one\n`);
  assertFails(result, /cannot clone 'http:\/\/127/, /source-repository-it:1: /);
  assert.equal(await readFile(path.join(bench.root, 'sleeps'), 'utf8'), '5\n'.repeat(4));
});

test('git: a remote that recovers is enough', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  git(one, 'update-server-info');
  let broken = 2;
  await using server = await serve(async (url) => {
    broken -= 1;
    if (broken >= 0) return { status: 503 };
    const file = path.join(one, '.git', url.replace('/one', '').replace(/\?.*/, ''));
    return await readFile(file).then(
      (body) => ({ status: 200, body }),
      () => ({ status: 404 }),
    );
  });
  assertDone(await bench.run(`one git /opt/one ${server.url}/one stable\n`));
  assert.equal(await bench.read('opt/one/file'), 'stable\n');
  assert.equal(await readFile(path.join(bench.root, 'sleeps'), 'utf8'), '5\n'.repeat(2));
});

test('git: a password in the location is in no output and not in the manifest', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  git(one, 'update-server-info');
  await using server = await serve(async (url) =>
    readFile(path.join(one, '.git', url.replace('/one', '').replace(/\?.*/, ''))).then(
      (body) => ({ status: 200, body }),
      () => ({ status: 404 }),
    ),
  );
  const location = `${server.url.replace('://', '://me:hunter2@')}/one`;
  const result = await bench.run(`one git /opt/one ${location}\n`);
  assertDone(result);
  const manifest = await bench.read('etc/dib-manifests/dib-manifest-git-image');
  assert.match(manifest, /^one git \/opt\/one http:\/\/\*\*\*@127/);
  assert.doesNotMatch(result.stdout + result.stderr + manifest, /hunter2/);
});

test('DIB_GITREPOBASE replaces scheme, host and user, but no location that was overridden', async () => {
  await using bench = await openBench();
  await makeRepository(path.join(bench.root, 'two'));
  const lines =
    'one git /opt/one https://git.invalid/~user/one\ntwo git /opt/two ssh://me@git.invalid/nowhere\n';
  for (const base of [`${bench.root}/`, bench.root]) {
    const env = { DIB_GITREPOBASE: base, DIB_REPOLOCATION_two: `${bench.root}/two` };
    assertDone(await bench.run(lines, env));
    assert.equal(await bench.read('opt/one/file'), 'master\n');
    assert.equal(await bench.read('opt/two/file'), 'master\n');
  }
  assert.equal((await readdir(bench.cache)).filter((name) => name.startsWith('one_')).length, 1);
});

test('type, location and ref of a source can be overridden, whatever characters its name has', async () => {
  await using bench = await openBench();
  await using server = await serve(() => ({ status: 200, body: 'a file\n' }));
  const lines = 'a-b.c tar /opt/abc https://invalid.invalid/x.tar.gz sub\n';
  const git = {
    DIB_REPOTYPE_a_b_c: 'git',
    DIB_REPOLOCATION_a_b_c: `${bench.root}/one`,
    DIB_REPOREF_a_b_c: 'stable',
  };
  assertDone(await bench.run(lines, git));
  assert.equal(await bench.read('opt/abc/file'), 'stable\n');
  const file = { DIB_REPOTYPE_a_b_c: 'file', DIB_REPOLOCATION_a_b_c: `${server.url}/f` };
  assertDone(await bench.run(lines, file));
  assert.equal(await bench.read('opt/abc'), 'a file\n');
  assertFails(
    await bench.run(lines, { DIB_REPOTYPE_a_b_c: 'svn' }),
    /unknown type 'svn' of 'a-b\.c'/,
  );
});

test('a location may come from its override alone', async () => {
  await using bench = await openBench();
  assertDone(await bench.run('one git /opt/one\n', { DIB_REPOLOCATION_one: `${bench.root}/one` }));
  assert.equal(await bench.read('opt/one/file'), 'master\n');
});

test('only sources whose install type is source are fetched', async () => {
  await using bench = await openBench();
  const lines = `one git /opt/one ${bench.root}/one\ntwo-x git /opt/two ${bench.root}/one\n`;
  const result = await bench.run(lines, { DIB_INSTALLTYPE_two_x: 'package' });
  assertDone(result);
  assert.match(result.stdout, /\(0002 \/ 0002\) two-x: not fetched: its install type is 'package'/);
  assert.deepEqual(await readdir(path.join(bench.target, 'opt')), ['one']);
  const env = { DIB_DEFAULT_INSTALLTYPE: 'package', DIB_INSTALLTYPE_two_x: 'source' };
  assertDone(await bench.run(lines, env));
  assert.deepEqual(await readdir(path.join(bench.target, 'opt')), ['two']);
});

test('package: fetches nothing and is no error, also with the default install type', async () => {
  await using bench = await openBench();
  assertDone(await bench.run('nova package\n'));
  assertDone(await bench.run('nova package /opt/nova\n', { DIB_DEFAULT_INSTALLTYPE: 'package' }));
  assert.deepEqual(await readdir(path.join(bench.target)), ['etc', 'tmp']);
});

test('NO_SOURCE_REPOSITORIES stops all of it', async () => {
  await using bench = await openBench();
  assertDone(await bench.run('complete nonsense\n', { NO_SOURCE_REPOSITORIES: '1' }));
  assert.deepEqual(await readdir(bench.target), ['tmp']);
});

test('file: is downloaded, readable for all, and offline taken from the cache', async () => {
  await using bench = await openBench();
  await using server = await serve(() => ({ status: 200, body: 'content\n' }));
  const line = `tool file /usr/bin/tool ${server.url}/tool ignored\n`;
  assertDone(await bench.run(line));
  assert.equal(await bench.read('usr/bin/tool'), 'content\n');
  assert.equal((await stat(path.join(bench.target, 'usr/bin/tool'))).mode & 0o777, 0o644);
  const asked = server.requests.length;
  assertDone(await bench.run(line, { DIB_OFFLINE: '1' }));
  assert.equal(await bench.read('usr/bin/tool'), 'content\n');
  assert.equal(server.requests.length, asked);
});

test('file: a server without it is an error that says so', async () => {
  await using bench = await openBench();
  await using server = await serve(() => ({ status: 404 }));
  const result = await bench.run(`tool file /usr/bin/tool ${server.url}/tool\n`);
  assertFails(result, /source-repository-it:1: cannot download 'http:\/\/127.*\/tool'/);
});

const TREE = { 'a-1.0/x': 'x', 'a-1.0/deep/y': 'y', 'b/z': 'z', top: 'top' };
const SELECTIONS: readonly { readonly ref: string; readonly names: readonly string[] }[] = [
  { ref: '.', names: ['a-1.0', 'a-1.0/deep', 'a-1.0/deep/y', 'a-1.0/x', 'b', 'b/z', 'top'] },
  { ref: '*', names: ['deep', 'deep/y', 'x', 'z'] },
  { ref: '', names: ['deep', 'deep/y', 'x', 'z'] },
  { ref: 'a-*', names: ['deep', 'deep/y', 'x'] },
  { ref: 'a-1.0/deep', names: ['y'] },
];

for (const { ref, names } of SELECTIONS) {
  test(`tar: the ref '${ref}' selects what is in those directories`, async () => {
    await using bench = await openBench();
    const body = await makeArchive(bench.root, TREE);
    await using server = await serve(() => ({ status: 200, body }));
    const result = await bench.run(`a tar /opt/a ${server.url}/a.tar.gz ${ref}\n`);
    assertDone(result);
    assert.equal(/warning: 'a' says nothing/.test(result.stderr), ref === '');
    const place = path.join(bench.target, 'opt/a');
    assert.deepEqual((await readdir(place, { recursive: true })).sort(), names);
    assert.equal((await stat(place)).mode & 0o777, 0o755);
    assert.deepEqual(await readdir(path.join(bench.target, 'tmp')), []);
  });
}

test('tar: merges into what the image has and writes through none of its links', async () => {
  await using bench = await openBench();
  const body = await makeArchive(bench.root, { 'a/x': 'new', 'a/keep/y': 'y' });
  await using server = await serve(() => ({ status: 200, body }));
  await writeFile(path.join(bench.root, 'outside'), 'untouched');
  const line = `a tar /opt ${server.url}/a.tar.gz a\n`;
  assertDone(await bench.run(line));
  const opt = path.join(bench.target, 'opt');
  await writeFile(path.join(opt, 'keep/older'), '');
  execFileSync('ln', ['-sf', path.join(bench.root, 'outside'), path.join(opt, 'x')]);
  assertDone(await bench.again(line));
  assert.deepEqual((await readdir(path.join(opt, 'keep'))).sort(), ['older', 'y']);
  assert.equal(await bench.read('opt/x'), 'new');
  assert.equal(await readFile(path.join(bench.root, 'outside'), 'utf8'), 'untouched');
});

test('tar: a directory that is not there, or leads out of the archive, is an error', async () => {
  await using bench = await openBench();
  await makeArchive(bench.root, { 'a/x': 'x' });
  execFileSync('ln', ['-s', '/etc', path.join(bench.root, 'archive/out')]);
  const body = await makeArchive(bench.root, {});
  await using server = await serve(() => ({ status: 200, body }));
  const run = (ref: string): Promise<HookResult> =>
    bench.run(`a tar /opt/a ${server.url}/a.tar.gz ${ref}\n`);
  assertFails(
    await run('nowhere'),
    /source-repository-it:1: the archive has no directory 'nowhere'/,
  );
  assertFails(await run('a/../..'), /leads out of the archive/);
  assert.notEqual((await run('out')).status, 0);
  await assert.rejects(stat(path.join(bench.target, 'opt/a/passwd')));
  assert.deepEqual(await readdir(path.join(bench.target, 'tmp')), []);
});

test('tar: what is no archive fails and names its location', async () => {
  await using bench = await openBench();
  await using server = await serve(() => ({ status: 200, body: '<html>login please</html>' }));
  const result = await bench.run(`a tar /opt/a ${server.url}/a.tar.gz .\n`);
  assertFails(result, /cannot extract '.*', from 'http:\/\/127.*\/a\.tar\.gz'/);
  assert.deepEqual(await readdir(path.join(bench.target, 'tmp')), []);
});

test('lines are expanded by the shell, over several lines too, and the last needs no newline', async () => {
  await using bench = await openBench();
  const lines = [
    "  # it's a comment with * and $NOTHING",
    `one\tgit   /opt/\${WHAT}  \\`,
    `  $BASE/one \${REF:-stable}\r`,
    '',
    'two git "/opt/two" \\',
    '$BASE/$(echo one)',
  ].join('\n');
  assertDone(await bench.run(lines, { WHAT: 'name', BASE: bench.root, repo: 'x', line: 'y' }));
  assert.equal(await bench.read('opt/name/file'), 'stable\n');
  assert.equal(await bench.read('opt/two/file'), 'master\n');
});

test('everything that is wrong is said at once, with file and line, before anything is fetched', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const files = {
    a: `fine git /opt/one ${one}\nbad svn /opt/bad https://x\n\nnodest git https://x/y\n`,
    b: `noloc git /opt/noloc\nunset git /opt/u $NOT_SET_ANYWHERE\nhy git /opt/h -x\nref git /opt/r ${one} -x`,
    'c~': 'nonsense\n',
  };
  const result = await bench.run(files);
  assertFails(
    result,
    /repository-a:2: cannot parse 'bad svn \/opt\/bad https:\/\/x': expected NAME TYPE DEST/,
    /repository-a:4: 'nodest' has no destination/,
    /repository-b:1: 'noloc' has no location: add one, or set DIB_REPOLOCATION_noloc/,
    /repository-b:2: cannot expand 'unset git \/opt\/u \$NOT_SET_ANYWHERE'/,
    /repository-b:3: the location of 'hy' starts with a hyphen/,
    /repository-b:4: the ref of 'ref' starts with a hyphen/,
  );
  assert.doesNotMatch(result.stderr, /c~|nonsense/);
  await assert.rejects(stat(bench.cache));
});

test('the file that is named is that of the element', async () => {
  await using bench = await openBench();
  const element = path.join(bench.root, 'elements/mine');
  await mkdir(element, { recursive: true });
  await writeFile(path.join(element, 'source-repository-it'), 'bad\n');
  const array = { 'BASH_FUNC_get_image_element_array%%': `() { echo '[mine]=${element} '; }` };
  assertFails(await bench.run('bad\n', array), new RegExp(`^${element}/source-repository-it:1: `));
});

test('two sources with one destination are an error that names both; the same twice is the same', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const files = { a: `one git /opt/x ${one}\n`, b: `\ntwo git //opt/y/../x/ ${one}\n` };
  assertFails(
    await bench.run(files),
    /repository-b:2: 'two' has the destination of 'one' \(.*repository-a:1\): '\/\/opt\/y\/..\/x\/'/,
  );
  const result = await bench.run({ a: files.a, b: files.a });
  assertDone(result);
  assert.match(result.stdout, /one: not fetched: it is the same as in .*repository-a:1/);
  assert.equal(await bench.read('etc/dib-source-repositories'), '/opt/x\n');
});

test('a destination that leads out of the image is an error', async () => {
  await using bench = await openBench();
  const line = `one git /var/run/one ${bench.root}/one\n`;
  assertDone(await bench.run(`one git /opt/one ${bench.root}/one\n`));
  await mkdir(path.join(bench.target, 'var'));
  await symlink(path.join(bench.root, 'elsewhere'), path.join(bench.target, 'var/run'));
  assertFails(await bench.again(line), /'\/var\/run\/one' leads out of the image/);
  assertFails(await bench.again(`one git /../x ${bench.root}/one\n`), /leads out of the image/);
});

test('the lock is the flock that other hooks take, and waiting for it is said', async () => {
  await using bench = await openBench();
  const line = `one git /opt/one ${bench.root}/one\n`;
  await writeFile(
    path.join(bench.root, 'fakes/flock'),
    '#!/bin/bash\necho "$@" >>"${0%/*}/../flocks"\n[[ $1 != --nonblock ]]\n',
  );
  await chmod(path.join(bench.root, 'fakes/flock'), 0o755);
  const result = await bench.run(line);
  assertDone(result);
  assert.match(result.stdout, /Waiting up to 600 s for another build, which holds '.*_flock'/);
  assert.equal(
    await readFile(path.join(bench.root, 'flocks'), 'utf8'),
    '--nonblock 9\n--timeout 600 9\n',
  );
});

test('two builds that share a cache both get what they ask for', async () => {
  await using bench = await openBench();
  const one = path.join(bench.root, 'one');
  const runs = ['stable', 'v1', 'master', '*'].map((ref) =>
    bench.run(`one git /opt/one ${one} ${ref}\n`),
  );
  for (const result of await Promise.all(runs)) assertDone(result);
  const contents = ['1', '2', '3', '4'].map((number) =>
    readFile(path.join(bench.root, `target-${number}/opt/one/file`), 'utf8'),
  );
  assert.deepEqual(await Promise.all(contents), ['stable\n', 'first\n', 'master\n', 'master\n']);
});
