import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failed } from '../../../src/events/failure.ts';
import {
  assertNothingMissing,
  engineRequirements,
  installCommand,
  missingRequirements,
  parseHostTools,
} from '../../../src/phases/requirements.ts';

test('engineRequirements() asks only for what the formats and file systems need', () => {
  const tools = (types: string[], disk: boolean, fsTypes: string[]): string[] =>
    engineRequirements({ types, disk, fsTypes, privilege: 'root' }).flatMap((need) => need.tools);
  assert.ok(!tools(['tar'], false, []).includes('qemu-img'));
  assert.ok(tools(['tar'], false, []).includes('tar'));
  assert.ok(tools(['qcow2'], true, ['ext4']).includes('qemu-img'));
  assert.ok(!tools(['raw'], true, ['ext4']).includes('qemu-img'));
  assert.ok(tools(['raw'], true, ['ext4']).includes('mke2fs'));
  assert.ok(!tools(['raw'], true, ['swap']).includes('mke2fs'));
});

test('engineRequirements() asks for script where a debug shell may be opened', () => {
  const asks = (shells: boolean): boolean =>
    engineRequirements({
      types: ['tar'],
      disk: false,
      fsTypes: [],
      privilege: 'root',
      shells,
    }).some((need) => need.tools.includes('script'));
  assert.deepEqual([asks(true), asks(false)], [true, false]);
});

test('engineRequirements() asks for the id tools only where root is a namespace’s', () => {
  const asks = (privilege: 'root' | 'user-namespace'): boolean =>
    engineRequirements({ types: ['tar'], disk: false, fsTypes: [], privilege }).some((need) =>
      need.tools.includes('newuidmap'),
    );
  assert.equal(asks('root'), false);
  assert.equal(asks('user-namespace'), true);
});

test('parseHostTools() reads rows, and places what it cannot read', () => {
  const [row] = parseHostTools('- tool: [a, b]\n  why: to x\n  debian: pa\n', '/e/host-tools.yaml');
  assert.deepEqual(row, { tools: ['a', 'b'], why: 'to x', packages: { debian: 'pa' } });
  assert.throws(
    () => parseHostTools('- tool: [a\n', '/e/host-tools.yaml'),
    (error: unknown) =>
      error instanceof Failed &&
      error.failure.kind === 'config' &&
      error.failure.at?.file === '/e/host-tools.yaml',
  );
  assert.throws(() => parseHostTools('a: b', '/e/host-tools.yaml'), /must hold a list/);
  assert.throws(() => parseHostTools('', '/e/host-tools.yaml'), /must hold a list/);
  assert.throws(
    () => parseHostTools('- tool: a\n- why: b\n- c', '/e/host-tools.yaml'),
    /must be a map that names its tool\n.*host-tools\.yaml:3:3: .*must be a map that names its tool/,
  );
  assert.deepEqual(parseHostTools('- {tool: a}', '/e/odd/host-tools.yaml'), [
    { tools: ['a'], why: 'to run the hooks of odd', packages: {} },
  ]);
});

test('missingRequirements() is met by any one of the tools', async () => {
  const need = { packages: {}, why: 'to x' };
  const missing = await missingRequirements(
    [
      { ...need, tools: ['no-such-tool', 'sh'] },
      { ...need, tools: ['no-such-tool'] },
    ],
    '/usr/bin:/bin',
  );
  assert.deepEqual(
    missing.map(({ tools }) => tools),
    [['no-such-tool']],
  );
});

test('installCommand() is one command for everything, by family', () => {
  const missing = [
    { tools: ['qemu-img'], packages: { debian: 'qemu-utils', redhat: 'qemu-img' }, why: '' },
    { tools: ['sfdisk'], packages: { debian: 'fdisk', redhat: 'util-linux' }, why: '' },
  ];
  assert.equal(installCommand(missing, 'debian'), 'apt-get install -y fdisk qemu-utils');
  assert.equal(installCommand(missing, 'redhat'), 'dnf install -y qemu-img util-linux');
  assert.equal(installCommand(missing, undefined), undefined);
});

test('assertNothingMissing() names every tool and the command', () => {
  const missing = [
    {
      tools: ['mmdebstrap', 'debootstrap'],
      packages: { debian: 'mmdebstrap' },
      why: 'to bootstrap',
    },
  ];
  assert.throws(
    () => assertNothingMissing(missing, 'debian'),
    (error: unknown) =>
      error instanceof Failed &&
      error.failure.kind === 'host' &&
      error.message.includes('mmdebstrap or debootstrap (to bootstrap)') &&
      error.failure.hint === 'As root: apt-get install -y mmdebstrap',
  );
  assert.doesNotThrow(() => assertNothingMissing([], 'debian'));
});
