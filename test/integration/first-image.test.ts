/** The main job on real input: a Debian disk from the mirror that boots, grows and lets its user in. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { boot, type Machine } from '../rig/boot.ts';
import { openRig, type Result, type Rig, text } from '../rig/rig.ts';

const GIB = 1024 ** 3;

let rig: Rig;
let result: Result;
let key: string;

before(async () => {
  rig = await openRig();
  key = path.join(rig.dir, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  result = await rig.run(
    'disk-image-create',
    [
      ...['-t', 'qcow2,raw,tar', '--checksum', '--image-extra-size', '64', '-o', 'first'],
      ...['vm', 'debian-minimal', 'devuser', 'openssh-server', 'growroot'],
    ],
    { env: { DIB_DEV_USER_AUTHORIZED_KEYS: `${key}.pub`, DIB_DEV_USER_PWDLESS_SUDO: 'yes' } },
  );
});

after(async () => {
  await rig[Symbol.asyncDispose]();
});

/** A path in the output directory. */
function out(name: string): string {
  return path.join(rig.out, name);
}

test('one run writes qcow2, raw and tar, and leaves nothing else', async () => {
  assert.equal(result.status, 0, (result.stdout + result.stderr).slice(-4000));
  const images = ['first.qcow2', 'first.raw', 'first.tar'];
  const wanted = images.flatMap((image) => [image, `${image}.md5`, `${image}.sha256`]);
  assert.deepEqual(await rig.outputs(), ['first.d', ...wanted].sort());
  await rig.assertNothingLeaked();
});

test('the summary of events names every artifact with its size', async () => {
  const artifacts = result.events.flatMap((event) => (event.kind === 'artifact' ? [event] : []));
  assert.deepEqual(artifacts.map(({ type }) => type).sort(), ['qcow2', 'raw', 'tar']);
  for (const { path: file, sizeBytes } of artifacts) {
    assert.equal((await stat(path.resolve(rig.out, file))).size, sizeBytes);
  }
});

test('sha256sum and md5sum accept the checksum files', async () => {
  for (const image of ['first.qcow2', 'first.raw', 'first.tar']) {
    for (const sum of ['sha256', 'md5'] as const) {
      const said = execFileSync(`${sum}sum`, [image], { cwd: rig.out, encoding: 'utf8' });
      assert.equal((await text(out(`${image}.${sum}`))).split(/\s/)[0], said.split(' ')[0]);
    }
  }
});

test('qemu-img check and e2fsck find nothing wrong', async () => {
  execFileSync('qemu-img', ['check', '-q', out('first.qcow2')]);
  execFileSync('qemu-img', ['compare', '-q', out('first.qcow2'), out('first.raw')]);
  const { start } = rootPartition(out('first.raw'));
  const fsck = spawnSync('e2fsck', ['-f', '-n', `${out('first.raw')}?offset=${start * 512}`], {
    encoding: 'utf8',
  });
  assert.equal(fsck.status, 0, fsck.stdout + fsck.stderr);
});

test('the tar holds a Debian root with its owners and capabilities', () => {
  const list = execFileSync('tar', ['--numeric-owner', '-tvf', out('first.tar')], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.match(list, / 0\/0 .* \.?\/?etc\/os-release/m);
  assert.match(list, / 1000\/1000 .*home\/devuser\//m);
  assert.doesNotMatch(list, /tmp\/in_target\.d/);
});

test('the image boots, devuser gets in with the key, and the root grows on a larger disk', async () => {
  const large = path.join(rig.dir, 'large.qcow2');
  const backing = ['-b', out('first.qcow2'), '-F', 'qcow2'];
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing, large, '8G']);
  await using machine = await boot(large);
  await machine.waitForLogin();
  assert.equal((await guest(machine, 'id -un')).trim(), 'devuser');
  assert.equal((await guest(machine, 'sudo id -u')).trim(), '0');
  const state = await guest(machine, 'systemctl is-system-running --wait; true');
  assert.equal(state.trim(), 'running', await guest(machine, 'systemctl --failed'));
  const size = Number(await guest(machine, 'df -B1 --output=size / | tail -n 1'));
  assert.ok(size > 7 * GIB, `the root has ${size} bytes on a disk of ${8 * GIB}`);
  const mounted = await guest(machine, 'findmnt --noheadings --output SOURCE,FSTYPE /');
  assert.match(mounted, /^\/dev\/vda1\s+ext4/);
  // The name server that QEMU's DHCP names has reached whoever asks, and the machine knows itself.
  assert.match(
    await guest(machine, 'cat /run/systemd/resolve/resolv.conf'),
    /^nameserver 10\.0\.2\.3$/m,
  );
  assert.match(await guest(machine, 'cat /etc/resolv.conf'), /^nameserver 127\.0\.0\.53$/m);
  await guest(machine, 'getent hosts "$(hostname)"');
});

async function guest(machine: Machine, command: string): Promise<string> {
  const answer = await machine.ssh({ user: 'devuser', key }, command);
  assert.equal(answer.status, 0, `'${command}': ${answer.stderr}`);
  return answer.stdout;
}

/** Where sfdisk sees the only partition, in sectors. */
function rootPartition(disk: string): { start: number } {
  const table = JSON.parse(execFileSync('sfdisk', ['--json', disk], { encoding: 'utf8' })) as {
    partitiontable: { partitions: { start: number }[] };
  };
  const [only, ...more] = table.partitiontable.partitions;
  assert.deepEqual(more, []);
  assert.ok(only !== undefined);
  return only;
}
