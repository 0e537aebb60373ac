/**
 * The elements of Debian's package of diskimage-builder, unmodified: `debian-minimal` as upstream builds
 * it, and as our engine does. Where Debian comes from is what apt on this machine says.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { judge, report } from '../rig/differences.ts';
import {
  type Built,
  compareBuilt,
  type Differential,
  hostSources,
  lastWords,
  openDifferential,
  textIn,
  UPSTREAM_ELEMENTS,
  withLines,
} from '../rig/differential.ts';
import { assertDocumented, OF_DEBIAN } from '../rig/expected-differences.ts';

let pair: Differential;
let theirs: Built;
let ours: Built;

before(async () => {
  pair = await openDifferential();
  const recipe = {
    args: ['debian-minimal'],
    elementsPath: [UPSTREAM_ELEMENTS],
    env: hostSources(),
  };
  // Each waits for the mirror and for one core most of its time.
  [theirs, ours] = await Promise.all([pair.build('upstream', recipe), pair.build('ours', recipe)]);
  for (const { status, log } of [theirs, ours]) {
    assert.equal(status, 0, await lastWords(log));
  }
});

after(async () => {
  await pair[Symbol.asyncDispose]();
});

/** Names and versions of what dpkg has installed. */
function packagesOf(built: Built): readonly string[] {
  return textIn(built, '/var/lib/dpkg/status')
    .split('\n\n')
    .filter((entry) => entry.includes('Status: install ok installed'))
    .map((entry) => `${/^Package: (.*)/m.exec(entry)?.[1]}=${/^Version: (.*)/m.exec(entry)?.[1]}`)
    .sort();
}

test('both install the same packages', () => {
  const packages = packagesOf(ours);
  assert.ok(packages.length > 100, `${packages.length} packages`);
  assert.deepEqual(packages, packagesOf(theirs));
});

test('each expected difference has its reason in the documentation', async () => {
  await assertDocumented(OF_DEBIAN);
});

test('debian-minimal of the package is the same image, but for what is expected', () => {
  const findings = compareBuilt(theirs, ours).filter(({ what }) => what !== 'time');
  const judgement = judge(findings, OF_DEBIAN);
  const unexpected = withLines(judgement.unexpected.slice(0, 20), { theirs, ours });
  const lines = report({ ...judgement, unexpected });
  assert.deepEqual(lines, [], lines.join('\n'));
});
