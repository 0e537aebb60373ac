/** Files with several names (hard links), over the layers of a build. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { hook, openRig, type Rig } from '../rig/rig.ts';

/** Made in one layer; the hooks of later ones change it in place under one name each. */
const MAKE = `
mkdir --parents "$TARGET_ROOT/srv/files"; cd "$TARGET_ROOT/srv/files"
echo made >first; ln first 'second "$x'; mkdir sub; ln first sub/third; touch --date @1 first
echo other >other; ln other sub/other; echo alone >alone
mkdir hidden; echo seen >seen; ln seen hidden/name`;

const PHASES = {
  'root.d/50-make': hook(MAKE),
  'extra-data.d/10-hide': hook(`
    cd "$TMP_MOUNT_PATH/srv/files"; echo more >>seen
    mkdir --parents "$DIB_IMAGE_CACHE/shared"; mount --bind "$DIB_IMAGE_CACHE/shared" hidden`),
  'pre-install.d/10-change': hook('echo more >>/srv/files/second*; cat /srv/files/first'),
  'install.d/10-again': hook('chmod 600 /srv/files/sub/third'),
  'post-install.d/10-replace': hook(
    'cd /srv/files; cp other new; echo new >>new; mv new sub/other; rm first',
  ),
  'finalise.d/10-last': hook('echo last >>/srv/files/second*'),
};

/** What is in the tree of the image: each file's type, owner, mode, time, names and what it links to. */
async function treeOf(rig: Rig, name: string, options: readonly string[]): Promise<string> {
  const args = ['-n', '-t', 'tar', '-o', path.join(rig.dir, name), ...options, 'tiny', 'links'];
  const { status, stdout, stderr } = await rig.run('disk-image-create', args);
  assert.equal(status, 0, stdout + stderr);
  assert.doesNotMatch(stdout, /kept for the next build: not all names/);
  const file = path.join(rig.dir, `${name}.tar`);
  const tar = (...what: readonly string[]): string =>
    execFileSync('tar', [...what, '--file', file], { encoding: 'utf8' });
  const listed = tar('--list', '--verbose', '--full-time', '--wildcards', '*srv/files*');
  const contents = tar('--extract', '--to-stdout', '--wildcards', '*srv/files/*');
  return `${listed}${contents}`;
}

test('a file that is changed under one of its names is changed under all of them, with layers too', async () => {
  await using rig = await openRig();
  await rig.element('links', PHASES);
  const without = await treeOf(rig, 'without', ['--no-cache']);
  assert.match(without, /h\S+ .*srv\/files\/sub\/third link to \S*srv\/files\/second/);
  assert.match(without, /made\nmore\nlast\n/);
  assert.match(without, /srv\/files\/seen link to \S*srv\/files\/hidden\/name/);
  const made = await treeOf(rig, 'made', []);
  assert.equal(made, without);

  // On top of layers of the store now, no longer of those in memory.
  for (const changed of ['finalise', 'post-install', 'pre-install']) {
    await rig.element('links', { ...PHASES, [`${changed}.d/90-late`]: hook('true') });
    assert.equal(await treeOf(rig, changed, []), without, changed);
  }
  await rig.element('links', PHASES);
  assert.equal(await treeOf(rig, 'reused', []), without);
});
