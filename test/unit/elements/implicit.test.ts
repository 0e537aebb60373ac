import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Element } from '../../../src/elements/element.ts';
import { implicitElements } from '../../../src/elements/implicit.ts';

function element(name: string, deps: string[], provides: string[] = []): [string, Element] {
  return [name, { name, path: `/e/${name}`, deps, provides }];
}

const LOOKUP = {
  elements: new Map([
    element('vm', ['block-device', 'bootloader']),
    element('bootloader', []),
    element('block-device-gpt', [], ['block-device']),
    element('uses-gpt', ['between']),
    element('between', ['block-device-gpt', 'uses-gpt']),
    element('own-disk', [], ['block-device']),
    element('uses-own-disk', ['own-disk']),
  ]),
  elementsPath: ['/e'],
};

const ROWS: readonly (readonly [
  requested: string,
  arch: string,
  skipBase: boolean,
  expected: string,
])[] = [
  ['os', 'amd64', false, 'base os'],
  ['os', 'amd64', true, 'os'],
  ['os base', 'amd64', false, 'os base'],
  ['vm os', 'amd64', false, 'base vm os block-device-mbr'],
  ['vm os', 'armhf', false, 'base vm os block-device-mbr'],
  ['vm os', 'arm64', false, 'base vm os block-device-efi'],
  ['vm os', 'aarch64', true, 'vm os block-device-efi'],
  ['vm os block-device-gpt', 'amd64', false, 'base vm os block-device-gpt'],
  ['vm os block-device-of-mine', 'amd64', false, 'base vm os block-device-of-mine'],
  ['vm uses-gpt os', 'amd64', false, 'base vm uses-gpt os'],
  ['vm own-disk os', 'amd64', false, 'base vm own-disk os'],
  ['vm uses-own-disk os', 'amd64', false, 'base vm uses-own-disk os'],
  ['vm2 os', 'amd64', false, 'base vm2 os'],
];

for (const [requested, arch, skipBase, expected] of ROWS) {
  test(`implicitElements() makes '${expected}' of '${requested}' on ${arch}`, () => {
    const names = implicitElements({ requested: requested.split(' '), arch, skipBase }, LOOKUP);
    assert.equal(names.join(' '), expected);
  });
}

test('implicitElements() puts what makes a RAM disk before all others, once', () => {
  const request = { requested: ['os', 'mine'], arch: 'amd64', skipBase: false };
  const names = implicitElements({ ...request, ramdisk: ['ramdisk', 'mine'] }, LOOKUP);
  assert.equal(names.join(' '), 'ramdisk base os mine');
});
