/**
 * The nasty elements, built with Debian's diskimage-builder and with ours: what hooks see and what
 * they leave, path by path. Upstream runs twice; where it does not agree with itself, nobody has to.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { aboveNoise, type Expected, judge, report } from '../rig/differences.ts';
import {
  type Built,
  compareBuilt,
  type Differential,
  lastWords,
  openDifferential,
  UPSTREAM_ELEMENTS,
  withLines,
} from '../rig/differential.ts';
import { assertDocumented, OF_BUILTIN, OF_NASTY } from '../rig/expected-differences.ts';
import { NASTY, NASTY_ENVIRONMENT, writeNastyElements } from '../rig/nasty-elements.ts';

let pair: Differential;
let theirs: readonly [Built, Built];
let ours: Built;
let builtin: Built;

before(async () => {
  pair = await openDifferential();
  const nasty = await writeNastyElements(path.join(pair.dir, 'nasty'));
  // Python orders elements by hashes; another seed is another order.
  const recipe = (seed: string, ...more: string[]) => ({
    args: ['-n', ...NASTY],
    elementsPath: [nasty, ...more],
    env: { ...NASTY_ENVIRONMENT, PYTHONHASHSEED: seed },
  });
  theirs = [await pair.build('upstream', recipe('1')), await pair.build('upstream', recipe('2'))];
  ours = await pair.build('ours', recipe('1', UPSTREAM_ELEMENTS));
  builtin = await pair.build('ours', recipe('1'));
  for (const { status, log } of [...theirs, ours, builtin]) {
    assert.equal(status, 0, await lastWords(log));
  }
});

after(async () => {
  await pair[Symbol.asyncDispose]();
});

/** @throws when something differs that should not, or no longer does. */
function assertExpected(image: Built, table: readonly Expected[]): void {
  const noise = compareBuilt(theirs[0], theirs[1]);
  const judgement = judge(aboveNoise(compareBuilt(theirs[0], image), noise), table);
  const sides = { theirs: theirs[0], ours: image };
  const lines = report({ ...judgement, unexpected: withLines(judgement.unexpected, sides) });
  assert.deepEqual(lines, [], lines.join('\n'));
}

test('each expected difference has its reason in the documentation', async () => {
  await assertDocumented([...OF_NASTY, ...OF_BUILTIN]);
});

test('nasty elements make the same image under both engines, but for what is expected', () => {
  assertExpected(ours, OF_NASTY);
});

test('and with the built-in elements of both, too', () => {
  assertExpected(builtin, OF_BUILTIN);
});
