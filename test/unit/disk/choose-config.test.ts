import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { BUILT_IN } from '../../../src/disk/built-in-config.ts';
import { chooseDiskConfig } from '../../../src/disk/choose-config.ts';
import { parseConfig } from '../../../src/disk/parse-config.ts';
import { graphOf } from './configs.ts';

let top = '';
before(async () => {
  top = await mkdtemp(path.join(tmpdir(), 'choose-'));
});
after(async () => {
  await rm(top, { recursive: true });
});

/** An element with these configurations; the text is the path. */
async function element(name: string, ...kinds: string[]): Promise<{ name: string; path: string }> {
  const at = path.join(top, name);
  await mkdir(at, { recursive: true });
  for (const kind of kinds) {
    await writeFile(path.join(at, `block-device-${kind}.yaml`), `${name} ${kind}`);
  }
  return { name, path: at };
}

test('chooseDiskConfig() takes the first element with one, for the architecture if it can', async () => {
  const elements = [
    await element('none'),
    await element('both', 'amd64', 'default'),
    await element('late', 'default', 'ppc64el'),
  ];
  const amd64 = await chooseDiskConfig({ arch: 'amd64', elements });
  const file = path.join(top, 'both', 'block-device-amd64.yaml');
  assert.deepEqual(amd64, {
    text: 'both amd64',
    source: file,
    message: `Using block-device config: ${file}`,
    others: ['late'],
  });
  assert.equal((await chooseDiskConfig({ arch: 'arm64', elements })).text, 'both default');
  const power = await chooseDiskConfig({ arch: 'ppc64le', elements: elements.slice(2) });
  assert.equal(power.text, 'late ppc64el');
});

test('chooseDiskConfig() falls back to a disk that is one file system', async () => {
  const choice = await chooseDiskConfig({ arch: 'amd64', elements: [], config: '' });
  assert.equal(choice.message, 'Using default block-device fallback config');
  const { order, root } = graphOf(choice.text);
  assert.deepEqual([order[0], root.base, root.fstab?.fsckPassno], ['image0', 'image0', 1]);
});

test('chooseDiskConfig() takes the user at their word', async () => {
  const elements = [await element('e', 'default')];
  const file = path.join(top, 'mine 100%20.yaml');
  await writeFile(file, 'mine');
  const fromFile = await chooseDiskConfig({ arch: 'amd64', elements, config: `file://${file}` });
  assert.deepEqual(fromFile, {
    text: 'mine',
    source: file,
    message: `Using file-based block-device config: file://${file}`,
    others: [],
  });
  const text = await chooseDiskConfig({ arch: 'amd64', elements, config: '- x' });
  assert.equal(text.text, '- x');
  assert.equal(text.message, 'User specified block-device config from DIB_BLOCK_DEVICE_CONFIG');
});

test('chooseDiskConfig() names a file that it cannot read', async () => {
  await assert.rejects(
    chooseDiskConfig({ arch: 'amd64', elements: [], config: `file://${top}/missing` }),
    /Cannot read the block-device configuration ".*missing": ENOENT/,
  );
});

test('the built-in configuration is what its text says', () => {
  const { nodes, warnings } = parseConfig(BUILT_IN.text, BUILT_IN.source);
  assert.deepEqual(nodes, BUILT_IN.nodes);
  assert.deepEqual(warnings, []);
});
