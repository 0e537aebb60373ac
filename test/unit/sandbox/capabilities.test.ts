import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CAP_SYS_ADMIN,
  CAP_SYS_NICE,
  hasCapability,
  mayRaise,
} from '../../../src/sandbox/capabilities.ts';

const ALL = 'CapEff:\t000001ffffffffff\n';
const DOCKER = 'CapEff:\t00000000a80425fb\n';
const limits = (soft: string): string => `Max nice priority         ${soft}                    0\n`;

test('hasCapability() reads one bit of one set', () => {
  assert.equal(hasCapability(ALL, 'CapEff', CAP_SYS_NICE), true);
  assert.equal(hasCapability(ALL, 'CapBnd', CAP_SYS_NICE), false);
  assert.equal(hasCapability('CapEff:\t0000000000200000\n', 'CapEff', CAP_SYS_ADMIN), true);
  assert.equal(hasCapability('CapEff:\t0000000000200000\n', 'CapEff', CAP_SYS_NICE), false);
  assert.equal(hasCapability('', 'CapEff', CAP_SYS_NICE), false);
});

for (const [name, facts, expected] of [
  ['root', { status: ALL, limits: limits('0'), inNamespace: false }, true],
  ['root of a container', { status: DOCKER, limits: limits('0'), inNamespace: false }, false],
  ['root of a user namespace', { status: ALL, limits: limits('0'), inNamespace: true }, false],
  ['a limit that allows it', { status: '', limits: limits('20'), inNamespace: true }, true],
  ['a limit that does not', { status: '', limits: limits('19'), inNamespace: false }, false],
  ['no limit', { status: '', limits: limits('unlimited'), inNamespace: true }, true],
  ['nothing known', { status: '', limits: '', inNamespace: false }, false],
] as const) {
  test(`mayRaise(): ${name}`, () => {
    assert.equal(mayRaise(facts), expected);
  });
}
