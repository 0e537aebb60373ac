import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { yamlMap } from '../../../src/plan/yaml-map.ts';

test('yamlMap() writes what a reader of either YAML reads as the same texts', () => {
  const entries = [
    ['root-label', 'cloudimg-rootfs'],
    ['root-fs-type', 'ext4'],
    ['config', '/tmp/dib_build.x1/block-device/config.yaml'],
    ['no', 'Yes'],
    ['empty', ''],
    ['number', '12'],
    ['path with a colon', '/a: b#c'],
    ['others', 'é "quoted" \\ \t\n{}'],
  ] as const;
  const text = yamlMap(entries);
  for (const version of ['1.1', '1.2'] as const) {
    assert.deepEqual(Object.entries(parse(text, { version })), entries);
  }
});

test('yamlMap() leaves names and paths without quotes', () => {
  const entries = [
    ['mount-base', '/tmp/dib_build.x1/mnt'],
    ['root-fs-type', 'ext4'],
  ] as const;
  assert.equal(yamlMap(entries), 'mount-base: /tmp/dib_build.x1/mnt\nroot-fs-type: ext4\n');
});
