import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logNames } from '../../../src/plan/image-logs.ts';

const CASES: readonly (readonly [string, string])[] = [
  ['web db', 'web.log db.log'],
  ['out/web /srv/db', 'web.log db.log'],
  ['a/web b/web db', 'a-web.log b-web.log db.log'],
  ['/a/web ../a/web', 'a-web.log ..-a-web.log'],
  ['a/web a-web/web a--web', 'a-web.log a-web-web.log a--web.log'],
  ['x/a-b x:a-b/a-b x-a-b', 'x-a-b.log x-a-b-a-b.log x-a-b-2.log'],
];

for (const [images, logs] of CASES) {
  test(`logNames() of ${images}`, () => {
    const words = images.split(' ');
    const names = logNames(words);
    assert.equal(words.map((word) => names.get(word)).join(' '), logs);
    assert.equal(new Set(names.values()).size, words.length);
  });
}
