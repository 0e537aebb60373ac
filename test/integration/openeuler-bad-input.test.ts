/** What goes wrong with openEuler's mirrors: each one clear sentence, early, and nothing left behind. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fault } from '../rig/openeuler-mirror/faults.ts';
import { openMirror } from '../rig/openeuler-mirror/mirror.ts';
import { openRig } from '../rig/rig.ts';

interface Case {
  readonly name: string;
  readonly faults?: readonly Fault[];
  readonly element?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly says: readonly RegExp[];
  /** Default: 1. */
  readonly status?: number;
}

const CASES: readonly Case[] = [
  {
    name: 'an unknown release: those that the mirror has are named',
    env: { DIB_RELEASE: '99.03-LTS' },
    says: [/Cannot find openEuler '99\.03-LTS' on http:.*; it has: 22\.03-LTS 22\.03-LTS-SP4/],
  },
  {
    name: 'an unknown release of openeuler-minimal',
    element: 'openeuler-minimal',
    env: { DIB_RELEASE: '99.03-LTS' },
    says: [/Cannot find openEuler '99\.03-LTS' on http:.*; it has: 22\.03-LTS 22\.03-LTS-SP4/],
  },
  {
    name: 'an architecture that the release does not have: those that it has are named',
    args: ['-a', 'riscv64'],
    says: [/Cannot find openEuler 22\.03-LTS for 'riscv64' on http:.*; it has: .*x86_64/],
  },
  {
    name: 'a mirror without container images',
    faults: [{ kind: 'no-docker-img' }],
    says: [/Cannot find 'docker_img' for openEuler 22\.03-LTS/, /DIB_OPENEULER_IMAGE_MIRROR/],
  },
  {
    name: 'a container image with another sum',
    faults: [{ kind: 'wrong-sum' }],
    says: [/openEuler-docker\.x86_64\.tar\.xz.*0{64}/s],
    status: 4,
  },
  {
    name: 'a package that a stranger signed',
    faults: [{ kind: 'stranger' }],
    says: [/not signed with the key of its repository/],
    status: 4,
  },
  {
    name: 'a mirror that is being synchronised',
    faults: [{ kind: 'half-synchronised', repository: 'everything' }],
    says: [/being synchronised: repository 'everything'/],
  },
  {
    name: 'a mirror whose packages are not there yet',
    faults: [
      { kind: 'no-packages', repository: 'OS' },
      { kind: 'no-packages', repository: 'everything' },
    ],
    says: [/being synchronised: it does not have .*\.rpm/],
  },
  {
    name: 'one repository that is down while others are up',
    faults: [{ kind: 'status', repository: 'update', status: 503 }],
    says: [/Repository 'update' cannot be reached: Status code: 503/],
  },
];

for (const { name, says, ...given } of CASES) {
  test(name, async () => {
    const { faults = [], element = 'openeuler', args = [], env = {}, status = 1 } = given;
    await using mirror = await openMirror({ faults });
    await using rig = await openRig();
    const result = await rig.run(
      'disk-image-create',
      ['-t', 'tar', '-o', 'bad', ...args, element],
      { env: { DIB_DISTRIBUTION_MIRROR: mirror.url, DIB_RELEASE: '22.03-LTS', ...env } },
    );
    assert.equal(result.status, status, result.stdout + result.stderr);
    for (const sentence of says) {
      assert.match(result.stderr, sentence);
    }
    assert.deepEqual(await rig.outputs(), []);
    await rig.assertNothingLeaked();
  });
}
