import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  identifiersFrom,
  type SeedInputs,
  seedFrom,
  variablesThatCount,
} from '../../../src/plan/identifiers.ts';

test('identifiersFrom() gives valid UUIDs that depend on seed and purpose', () => {
  const ids = ['a', 'b'].flatMap((seed) => ['x', 'y'].map((what) => identifiersFrom(seed)(what)));
  assert.equal(new Set(ids).size, 4);
  for (const id of ids) {
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  assert.equal(identifiersFrom('a')('x'), ids[0]);
});

const INPUTS: SeedInputs = {
  arch: 'amd64',
  elements: ['base', 'vm'],
  packages: [],
  disk: { config: 'a', request: { journalSize: 64, rootLabel: undefined } },
  variables: { DIB_RELEASE: 'trixie' },
  hooks: ['install.d/10-a', 'install.d/20-b'],
  sourceDate: 1_700_000_000,
  seed: '',
};

const OTHERS: Readonly<Record<string, Partial<SeedInputs>>> = {
  'another architecture': { arch: 'arm64' },
  'another element': { elements: ['base'] },
  'another order of elements': { elements: ['vm', 'base'] },
  'another package': { packages: ['curl'] },
  'another disk': { disk: { config: 'b' } },
  'another release': { variables: { DIB_RELEASE: 'sid' } },
  'another hook': { hooks: ['install.d/10-a'] },
  'a newer mirror': { sourceDate: 1_700_000_001 },
  'another seed': { seed: 'second' },
};

for (const [what, change] of Object.entries(OTHERS)) {
  test(`seedFrom() differs with ${what}`, () => {
    assert.notEqual(seedFrom({ ...INPUTS, ...change }), seedFrom(INPUTS));
  });
}

test('seedFrom() does not mind in which order things were found', () => {
  const turned = {
    ...INPUTS,
    disk: { request: { journalSize: 64 }, config: 'a' },
  };
  assert.equal(seedFrom(turned), seedFrom(INPUTS));
});

test('variablesThatCount() leaves out what says where and how a build runs', () => {
  const given = {
    DIB_RELEASE: 'sid',
    DIB_IMAGE_CACHE: '/c',
    DIB_QUIET: '1',
    DIB_LOCK_WAIT: '5',
    DIB_FETCH_TIMEOUT: '5',
    DIB_CACHE_FROM: 'install',
    DIB_NO_LAYERS: '1',
    DIB_SHOW_IMAGE_USAGE: '1',
    TERM: 'dumb',
    HOME: '/h',
  };
  assert.deepEqual(variablesThatCount(given), { DIB_RELEASE: 'sid' });
});
