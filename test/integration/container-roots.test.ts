/** docker and containerfile: roots that are made of container images, by a Docker of the test's own. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, copyFile, lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { openDocker } from '../rig/docker.ts';
import { file, openServer, status, type TestServer } from '../rig/http-server.ts';
import { ROOT, runHook, type TestDirectory, withFiles } from '../rig/run-hook.ts';

type Variables = Readonly<Record<string, string>>;

const hook = (name: string): string => path.join(ROOT, 'elements', name);
const DOCKER_HOOK = hook('docker/root.d/08-docker');
const DOCKER_PRINT = hook('docker/fingerprint.d/root/08-docker');
const BUILD_HOOK = hook('containerfile/root.d/08-containerfile');

const docker = await openDocker();
after(() => docker.close());

/** A build that has come to root.d. Its `docker` is Debian's. */
async function openBuild(files: Variables = {}): Promise<TestDirectory> {
  const dir = await withFiles({ 'target/x': '', 'build.ABCD/x': '', ...files });
  await mkdir(`${dir.root}/bin`);
  await symlink('/usr/bin/docker', `${dir.root}/bin/docker`);
  const functions = hook('containerfile/containerfile-functions');
  await symlink(functions, `${dir.root}/containerfile-functions`);
  return dir;
}

/** Runs a hook; ELEMENTS are names of directories in `dir`/elements. */
function run(dir: TestDirectory, file: string, { ELEMENTS = '', ...env }: Variables) {
  const array = ELEMENTS.split(' ')
    .filter((name) => name !== '')
    .map((name) => `[${name}]=${dir.root}/elements/${name}`)
    .join(' ');
  const build = {
    DOCKER_HOST: docker.host,
    DOCKER_BUILDKIT: '0',
    _LIB: path.join(ROOT, 'hooks/lib'),
    TARGET_ROOT: `${dir.root}/target`,
    TMP_MOUNT_PATH: `${dir.root}/target`,
    TMP_BUILD_DIR: `${dir.root}/build.ABCD`,
    TMP_HOOKS_PATH: dir.root,
    DIB_IMAGE_CACHE: `${dir.root}/cache`,
    'BASH_FUNC_get_image_element_array%%': `() { echo '${array}'; }`,
    ...env,
  };
  return runHook([file], build, `${dir.root}/bin`);
}

const images = (): readonly string[] =>
  docker.run(['image', 'ls', '--format', '{{.Repository}}:{{.Tag}}']).trimEnd().split('\n').sort();

/** A root file system with a set-uid program of somebody else, as a tar. */
async function importBase(): Promise<void> {
  await using dir = await withFiles({ 'root/etc/issue': 'base\n', 'root/bin/tool': '#!/bin/sh\n' });
  execFileSync('chown', ['7:8', `${dir.root}/root/bin/tool`]);
  execFileSync('chmod', ['4755', `${dir.root}/root/bin/tool`]);
  execFileSync('tar', ['-C', `${dir.root}/root`, '-cf', `${dir.root}/root.tar`, '.']);
  docker.run(['import', `${dir.root}/root.tar`, 'tiny:one']);
}
await importBase();

test('docker: the root is that of the image, and its id is what the phase depends on', async () => {
  await using dir = await openBuild();
  const env = { DISTRO_NAME: 'tiny', DIB_RELEASE: 'one' };
  const { status, stderr } = await run(dir, DOCKER_HOOK, env);
  assert.equal(status, 0, stderr);
  assert.equal(await readFile(`${dir.root}/target/etc/issue`, 'utf8'), 'base\n');
  const tool = await lstat(`${dir.root}/target/bin/tool`);
  assert.deepEqual([tool.mode & 0o7777, tool.uid, tool.gid], [0o4755, 7, 8]);
  assert.deepEqual(await files(dir, 'build.ABCD'), ['x']);

  const id = docker.run(['image', 'inspect', '--format', '{{.Id}}', 'tiny:one']);
  assert.equal((await run(dir, DOCKER_PRINT, env)).stdout, `image:tiny:one ${id}`);
});

test('docker: an image that is still to be pulled counts by what its registry has', async () => {
  await using dir = await openBuild();
  await using registry = await openServer();
  const name = `${registry.url.slice('http://'.length)}/far:one`;
  const printed = async (more: Variables = {}): Promise<string | undefined> => {
    const env = { DISTRO_NAME: 'x', DIB_RELEASE: 'y', DIB_DOCKER_IMAGE: name, ...more };
    const { status, stdout } = await run(dir, DOCKER_PRINT, env);
    assert.equal(status, 0);
    return stdout.trimEnd().split(' ')[1];
  };
  await serveImage(registry, 'tiny:one', `${dir.root}/one`);
  const id = docker.run(['image', 'inspect', '--format', '{{.Id}}', 'tiny:one']).trimEnd();
  assert.equal(await printed(), id);
  assert.equal(await printed({ DIB_OFFLINE: '1' }), 'offline');
  assert.equal(await printed({ DIB_DOCKER_IMAGE: name.replace(':one', ':two') }), 'unknown');
  // Docker itself asks where there is no skopeo.
  const bare = `${dir.root}/bare`;
  await mkdir(bare);
  for (const tool of [
    '/bin/bash',
    '/bin/env',
    '/bin/sha256sum',
    '/bin/timeout',
    '/usr/bin/docker',
  ]) {
    await symlink(tool, `${bare}/${path.basename(tool)}`);
  }
  const withoutSkopeo = { PATH: `${bare}:${ROOT}/hooks/host-bin`, HOME: dir.root };
  const listed = await printed(withoutSkopeo);
  assert.match(listed ?? '', /^sha256:[0-9a-f]{64}$/);
  const pinned = `sha256:${'0'.repeat(64)}`;
  assert.equal(await printed({ DIB_DOCKER_IMAGE: `${name}@${pinned}` }), pinned);

  execFileSync('tar', ['-C', dir.root, '-cf', `${dir.root}/x.tar`, 'target']);
  docker.run(['image', 'import', `${dir.root}/x.tar`, 'tiny:moved']);
  await serveImage(registry, 'tiny:moved', `${dir.root}/two`);
  docker.run(['image', 'rm', 'tiny:moved']);
  const moved = await printed();
  assert.match(moved ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.notEqual(moved, id);
  assert.notEqual(await printed(withoutSkopeo), listed);

  // Pulled it is what it was: the next build need not be another one.
  const pull = await runHook(['/usr/bin/docker', 'pull', name], { DOCKER_HOST: docker.host });
  assert.equal(pull.status, 0, pull.stderr);
  await registry[Symbol.asyncDispose]();
  assert.equal(await printed(), moved);
  docker.run(['image', 'rm', name]);
});

/** Puts an image of Docker into a registry, as `far:one`. */
async function serveImage(registry: TestServer, image: string, work: string): Promise<void> {
  const from = `docker-daemon:${image}`;
  execFileSync('skopeo', ['copy', '--src-daemon-host', docker.host, from, `dir:${work}`]);
  // docker manifest wants to be told.
  registry.serve('/v2/', status(200, { 'docker-distribution-api-version': 'registry/2.0' }));
  const manifest = await readFile(`${work}/manifest.json`, 'utf8');
  const { mediaType } = JSON.parse(manifest) as { readonly mediaType: string };
  const blobs = manifest.match(/sha256:[0-9a-f]{64}/g) ?? [];
  for (const digest of blobs) {
    const content = await readFile(`${work}/${digest.slice('sha256:'.length)}`);
    registry.serve(`/v2/far/blobs/${digest}`, file(content));
  }
  const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`;
  for (const reference of ['one', digest]) {
    registry.serve(`/v2/far/manifests/${reference}`, file(manifest, mediaType));
  }
}

test('docker: settings that an earlier hook has left count, and are gone', async () => {
  await using dir = await openBuild({ 'target/.extra_settings': 'DIB_DOCKER_IMAGE=tiny:one\n' });
  const { status, stderr } = await run(dir, DOCKER_HOOK, { DISTRO_NAME: 'x', DIB_RELEASE: 'y' });
  assert.equal(status, 0, stderr);
  assert.deepEqual(await files(dir, 'target'), ['bin/tool', 'etc/issue', 'x']);
});

test('docker: what is not told, or cannot be pulled, is said in one sentence', async () => {
  await using dir = await openBuild();
  const unset = await run(dir, DOCKER_HOOK, { DISTRO_NAME: 'debian' });
  assert.equal(unset.status, 1);
  assert.match(unset.stderr, /^docker: DIB_RELEASE is not set; name what the image has[^\n]*\n$/);
  const env = { DISTRO_NAME: 'x', DIB_RELEASE: 'y', DIB_DOCKER_IMAGE: '127.0.0.1:1/no:such' };
  const none = await run(dir, DOCKER_HOOK, env);
  assert.equal(none.status, 1);
  assert.match(none.stderr, /^docker: cannot pull '127\.0\.0\.1:1\/no:such', see above/m);
});

test('docker: find is installed where an RPM-based image lacks it', async () => {
  const script = '#!/bin/sh\necho "$*" >/called\n';
  const bare = await openBuild({ 'target/usr/bin/microdnf': script });
  await using _ = bare;
  await copyShell(bare);
  const extra = hook('docker/extra-data.d/01-docker-minimal');
  assert.equal((await run(bare, extra, {})).status, 0);
  assert.equal(await readFile(`${bare.root}/target/called`, 'utf8'), 'install -y findutils\n');
  await using full = await openBuild({
    'target/usr/bin/find': '#!/bin/sh\n',
    'target/usr/bin/dnf': script,
  });
  assert.equal((await run(full, extra, {})).status, 0);
  assert.deepEqual(await files(full, 'target'), ['usr/bin/dnf', 'usr/bin/find', 'x']);
});

/** busybox as the shell of a target, with what it is linked to. */
async function copyShell(dir: TestDirectory): Promise<void> {
  const linked = spawnSync('ldd', ['/bin/busybox'], { encoding: 'utf8' }).stdout;
  const libraries = linked.match(/\/\S+(?= \()/g) ?? [];
  for (const [from, to] of [['/bin/busybox', '/bin/sh'], ...libraries.map((it) => [it, it])]) {
    const place = `${dir.root}/target${to}`;
    await mkdir(path.dirname(place), { recursive: true });
    await copyFile(from ?? '', place);
  }
}

const DOCKERFILE =
  'FROM tiny:one AS base\nFROM scratch\nCOPY --from=base / /\nADD greeting /etc/\n';
const DOCKER = { DIB_CONTAINERFILE_RUNTIME: 'docker', DIB_RELEASE: 'one' };

test('containerfile: the root is what the file of an element builds, and no image stays', async () => {
  await using dir = await openBuild({
    'elements/mine/containerfiles/one': DOCKERFILE,
    'elements/other/containerfiles/two': 'FROM none\n',
    'cache/containerfile/greeting': 'hello\n',
  });
  const before = images();
  const { status, stderr } = await run(dir, BUILD_HOOK, { ...DOCKER, ELEMENTS: 'other mine' });
  assert.equal(status, 0, stderr);
  assert.equal(await readFile(`${dir.root}/target/etc/greeting`, 'utf8'), 'hello\n');
  assert.equal((await lstat(`${dir.root}/target/bin/tool`)).mode & 0o7777, 0o4755);
  assert.deepEqual(
    images().filter((name) => name !== '<none>:<none>'),
    before,
  );
  assert.deepEqual(await files(dir, 'build.ABCD'), ['x']);
});

test('containerfile: options and context are taken, and file, context and images count', async () => {
  await using dir = await openBuild({
    Dockerfile: 'ARG FROM=none\nFROM ${FROM}\nCOPY greeting /\n',
    'context/greeting': 'hello\n',
  });
  const env = {
    ...DOCKER,
    DIB_CONTAINERFILE_DOCKERFILE: `${dir.root}/Dockerfile`,
    DIB_CONTAINER_CONTEXT: `${dir.root}/context`,
    DIB_CONTAINERFILE_NETWORK_DRIVER: 'none',
    DIB_CONTAINERFILE_BUILDOPTS: '--build-arg FROM=tiny:one',
  };
  const { status, stderr } = await run(dir, BUILD_HOOK, env);
  assert.equal(status, 0, stderr);
  assert.equal(await readFile(`${dir.root}/target/greeting`, 'utf8'), 'hello\n');

  const print = async (more: Variables = {}): Promise<readonly string[]> => {
    const name = 'containerfile/fingerprint.d/root/08-containerfile';
    const told = await run(dir, hook(name), { ...env, ...more });
    assert.equal(told.status, 0, told.stderr);
    return told.stdout.trimEnd().split('\n').sort();
  };
  const lines = await print();
  const names = lines.map((line) => line.split(' ')[0]);
  assert.deepEqual(names, [
    `file:${dir.root}/Dockerfile`,
    `file:${dir.root}/context`,
    'image:tiny:one',
  ]);
  assert.deepEqual(await print(), lines);
  await writeFile(`${dir.root}/Dockerfile`, 'FROM tiny:one\nRUN true\n');
  const withStep = await print({ DIB_CONTAINERFILE_NETWORK_DRIVER: 'host' });
  assert.ok(withStep.includes(`undeclared the steps of ${dir.root}/Dockerfile`));
  assert.doesNotMatch((await print()).join(), /undeclared/);
  // What COPY sees of them.
  const [script, link] = [`${dir.root}/context/greeting`, `${dir.root}/context/link`];
  const EDITS: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['a mode', () => chmod(script, 0o755)],
    ['an empty directory', () => mkdir(`${dir.root}/context/empty`)],
    ['a link', () => symlink('greeting', link)],
    ['where it leads', () => rm(link).then(() => symlink('empty', link))],
  ];
  let before = lines[1];
  for (const [what, edit] of EDITS) {
    await edit();
    const [, now] = await print();
    assert.notEqual(now, before, what);
    before = now;
  }
  const [, context] = await print({ DIB_CONTAINER_CONTEXT: `${dir.root}/build.ABCD` });
  assert.notEqual(context?.split(' ')[1], lines[1]?.split(' ')[1]);
});

const FILES: readonly (readonly [string, string, readonly string[], string?])[] = [
  ['a platform', 'FROM --platform=linux/arm64 a:1 AS x', ['a:1 linux/arm64']],
  ['stages and no image', 'FROM a AS x\nFROM x\nFROM scratch\nCOPY --from=x / /', ['a']],
  [
    'an image to copy from',
    'FROM a\nCOPY --chown=1 --from=b:2 / /\nCOPY --from=0 / /',
    ['a', 'b:2'],
  ],
  ['a mount', 'FROM a\nRUN --mount=type=bind,from=b,target=/x true', ['a', 'b']],
  ['a default', 'ARG V=1\nARG B=a:${V}\nFROM $B\nFROM ${NONE:-c}', ['a:1', 'c']],
  ['an option', 'ARG V="1"\nFROM a:${V}', ['a:2'], '--build-arg V=2'],
  ['another spelling', 'ARG V=1\nfrom a:$V', ['a:2 p'], '--platform p --build-arg=V=2'],
];
for (const [what, text, expected, options = ''] of FILES) {
  test(`containerfile: the images of a file with ${what}`, async () => {
    await using dir = await openBuild({ Dockerfile: text });
    const script = `. ${hook('containerfile/containerfile-functions/images.bash')}; images_of "$1"`;
    const env = { DIB_CONTAINERFILE_BUILDOPTS: options };
    const { stdout } = await runHook(['bash', '-c', script, '-', `${dir.root}/Dockerfile`], env);
    const lines = stdout.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => line.replace('\t', ' ').trimEnd()),
      expected,
    );
  });
}

const REFUSED: readonly (readonly [string, Variables, number, RegExp])[] = [
  ['no file', { DIB_RELEASE: 'zero' }, 1, /no element has containerfiles\/zero; set DIB_C/],
  [
    'two files',
    { ELEMENTS: 'a b' },
    1,
    /several elements have a container file, name one in .*: .*one/,
  ],
  [
    'a file that is not there',
    { DIB_CONTAINERFILE_DOCKERFILE: '/no/file' },
    1,
    /cannot read '\/no\/file' \(DIB_CONTAINERFILE_DOCKERFILE\)/,
  ],
  ['another tool', { DIB_CONTAINERFILE_RUNTIME: 'lxc' }, 1, /is 'lxc'; give podman or dock/],
  [
    'a context that is not there',
    { DIB_CONTAINER_CONTEXT: '/no/context' },
    1,
    /cannot read '\/no\/context' \(DIB_CONTAINER_CONTEXT\)/,
  ],
  [
    'a tool that is not there',
    { DIB_CONTAINERFILE_RUNTIME: 'podman', PATH: '/usr/sbin:/nowhere' },
    3,
    /there is no 'podman' on this host/,
  ],
];
for (const [claim, env, code, says] of REFUSED) {
  test(`containerfile: ${claim} is one sentence`, async () => {
    await using dir = await openBuild({
      'elements/a/containerfiles/one': DOCKERFILE,
      'elements/b/containerfiles/one': DOCKERFILE,
    });
    const failure = `${dir.root}/failure`;
    const all = { ...DOCKER, ELEMENTS: 'a', DIB_FAILURE_FILE: failure, ...env };
    const { status, stderr } = await run(dir, BUILD_HOOK, all);
    assert.equal(status, code, stderr);
    assert.match(stderr, says);
    assert.match(stderr, /^containerfile: [^\n]+\n$/);
    const why = await readFile(failure, 'utf8').catch(() => undefined);
    assert.equal(why, code === 3 ? `host\n${stderr}` : undefined);
  });
}

test('containerfile: a step that fails ends the build, and leaves nothing', async () => {
  await using dir = await openBuild({
    'elements/a/containerfiles/one': 'FROM tiny:one\nADD nothing /\n',
  });
  const before = images();
  const { status, stderr } = await run(dir, BUILD_HOOK, { ...DOCKER, ELEMENTS: 'a' });
  assert.equal(status, 1);
  assert.match(stderr, /^containerfile: cannot build '.*\/one', see docker's words above$/m);
  assert.deepEqual([images(), await files(dir, 'build.ABCD')], [before, ['x']]);
});

async function files(dir: TestDirectory, below: string): Promise<readonly string[]> {
  const found = execFileSync('find', ['.', '!', '-type', 'd', '-printf', '%P\n'], {
    cwd: path.join(dir.root, below),
    encoding: 'utf8',
  });
  return found.trimEnd().split('\n').sort();
}
