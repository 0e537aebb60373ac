import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorkName, mentions } from '../../../src/phases/leftovers.ts';

const NAMES: readonly (readonly [name: string, isWork: boolean])[] = [
  ['dib_build.aB3dE6gH', true],
  ['dib_image.aB3dE6gH', true],
  ['dib_explain.aB3dE6', true],
  ['dib-pipe-a1B2c3', true],
  ['.web.v2.dib-aB3dE6gH', true],
  ['dib_build.', false],
  ['dib_build.mine.backup', false],
  ['dib_builder', false],
  ['web.dib-aB3dE6gH', false],
  ['.dib-aB3dE6gH', false],
];

for (const [name, isWork] of NAMES) {
  test(`isWorkName(${name}) is ${isWork}`, () => {
    assert.equal(isWorkName(name), isWork);
  });
}

const TEXTS: readonly (readonly [text: string, found: boolean])[] = [
  ['tar\0-C\0/tmp/dib_build.aB3dE6gH/mnt', true],
  ['TMP_BUILD_DIR=/tmp/dib_build.aB3dE6gH\0X=1', true],
  ['ls\0/tmp/dib_build.aB3dE6gHx\0/tmp/dib_build.aB3dE6gH', true],
  ['/tmp/dib_build.aB3dE6gHx', false],
  ['/tmp/dib_build.aB3dE6g', false],
];

for (const [text, found] of TEXTS) {
  test(`mentions() in ${JSON.stringify(text)} is ${found}`, () => {
    assert.equal(mentions(text, 'dib_build.aB3dE6gH'), found);
  });
}
