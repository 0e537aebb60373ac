import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { phaseEnvironment } from '../../../src/phases/environment.ts';
import { PHASES, type PhaseName } from '../../../src/phases/table.ts';
import { planBuild } from '../../../src/plan/plan-build.ts';

const plan = planBuild({
  elements: ['os'],
  argv: [],
  options: {},
  environment: {
    PATH: '/opt/x:/usr/bin',
    TMPDIR: '/scratch',
    VIRTUAL_ENV: '/venv',
    PYTHONPATH: '/py',
    'BASH_FUNC_mine%%': '() { :; }',
    http_proxy: 'http://proxy:1',
    HOME: '/home/me',
    DIB_IMAGE_SIZE: '3',
  },
  host: {
    version: '0',
    arch: 'amd64',
    cwd: '/here',
    home: '/home/me',
    builtinElements: '/pkg/elements',
    implicitElement: '/pkg/hooks',
    shellLibrary: '/pkg/hooks/lib',
    node: '/bin/node',
    packageRoot: '/pkg',
  },
});

function environmentOf(name: PhaseName, imageSizeKiB?: number): Readonly<Record<string, string>> {
  const phase = PHASES.find((one) => one.name === name);
  assert.ok(phase);
  return phaseEnvironment(
    {
      plan,
      paths: { buildDir: '/b', imageDir: '/i', hooksDir: '/b/hooks', targetRoot: '/b/mnt' },
      elementsPath: ['/e'],
      elementVariables: {
        IMAGE_ELEMENT: 'os',
        IMAGE_ELEMENT_YAML: 'os: /e/os\n',
        'BASH_FUNC_get_image_element_array%%': '() { echo; }',
      },
      disk: {
        rootLabel: 'root',
        rootFsType: 'ext4',
        bootLabel: '',
        mountPoints: ['/', '/var'],
        paramsFile: '/b/block-device/params.yaml',
        ...(imageSizeKiB === undefined
          ? {}
          : { settled: { imageSizeKiB, rootUuid: 'u', bootUuid: '' } }),
      },
    },
    phase,
  );
}

test('phaseEnvironment() exports TARGET_ROOT in root.d and cleanup.d only', () => {
  const having = PHASES.map(({ name }) => name).filter(
    (name) => environmentOf(name).TARGET_ROOT !== undefined,
  );
  assert.deepEqual(having, ['root', 'cleanup']);
});

test('phaseEnvironment() puts the stand-ins and the system directories on the PATH of the host', () => {
  assert.equal(
    environmentOf('root').PATH,
    '/b/hooks/host-bin:/opt/x:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin',
  );
});

test('phaseEnvironment() keeps out of the target what makes no sense there', () => {
  const target = environmentOf('install');
  for (const name of ['TMPDIR', 'VIRTUAL_ENV', 'PYTHONPATH', 'BASH_FUNC_mine%%', 'TARGET_ROOT']) {
    assert.equal(target[name], undefined, name);
  }
  assert.equal(Object.keys(target).filter((name) => name.startsWith('BASH_FUNC')).length, 0);
  assert.equal(target.HOME, '/root');
  assert.equal(target.PATH, '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
  assert.equal(target.http_proxy, 'http://proxy:1');
  assert.equal(target.IMAGE_ELEMENT, 'os');
  assert.equal(target.DIB_MOUNTPOINTS, '/|/var');
});

test('phaseEnvironment() gives the host what the user exported', () => {
  const host = environmentOf('extra-data');
  assert.equal(host.TMPDIR, '/scratch');
  assert.equal(host.HOME, '/home/me');
});

test('phaseEnvironment() changes the unit of DIB_IMAGE_SIZE once the size is known', () => {
  assert.equal(environmentOf('install', 4096).DIB_IMAGE_SIZE, '3');
  assert.equal(environmentOf('block-device', 4096).DIB_IMAGE_SIZE, '4096');
});

test('phaseEnvironment() tells identifiers once they are known', () => {
  assert.equal(environmentOf('install', 4096).DIB_ROOT_UUID, undefined);
  assert.equal(environmentOf('finalise', 4096).DIB_ROOT_UUID, 'u');
});

test('phaseEnvironment() exports a die that bash runs, and that never ends with 0', () => {
  const env = { ...environmentOf('root'), PATH: process.env.PATH ?? '' };
  const run = (script: string): number | null =>
    spawnSync('bash', ['-c', script], { env, stdio: 'ignore' }).status;
  assert.equal(run('true; die gone'), 1);
  assert.equal(run('(exit 7); die gone'), 7);
  const said = execFileSync('bash', ['-c', '(die "a  b") 2>&1 || true'], { env, encoding: 'utf8' });
  assert.equal(said, 'a  b\n');
});
