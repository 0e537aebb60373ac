import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spokenFor } from '../../../src/phases/declared-network.ts';
import { parseFingerprint } from '../../../src/phases/fingerprints.ts';

const element = (name: string, deps: readonly string[], provides: readonly string[] = []) => ({
  name,
  deps,
  provides,
});

const ELEMENTS = [
  element('manifests', []),
  element('package-installs', ['manifests']),
  element('mirrors', ['package-installs']),
  element('bootstrap', []),
  element('distribution', ['mirrors', 'bootstrap'], ['operating-system']),
  element('beside', ['operating-system', 'shared']),
  element('shared', []),
];

test('spokenFor() stands for who spoke, what that needs, and what the operating system needs', () => {
  for (const [declaring, expected] of [
    [[], []],
    [
      ['package-installs'],
      ['package-installs', 'manifests', 'distribution', 'mirrors', 'bootstrap'],
    ],
    [['mirrors'], ['mirrors', 'package-installs', 'manifests', 'distribution', 'bootstrap']],
    [['shared'], ['shared']],
    [['beside'], ELEMENTS.map(({ name }) => name)],
  ] as const) {
    const spoken = spokenFor(ELEMENTS, new Set<string>(declaring));
    assert.deepEqual([...spoken].sort(), [...expected].sort(), declaring.join(' '));
  }
});

test('parseFingerprint() knows which hooks said something of what is beyond this host', () => {
  const { external, remote } = parseFingerprint([
    ...['', 'dibkit-hook /h/fingerprint.d/root/10-key', 'file:/etc/key one'],
    ...[
      '',
      'dibkit-hook /h/fingerprint.d/root/20-mirror',
      'url:mirror two',
      'file:/etc/other three',
    ],
    ...['', 'dibkit-hook /h/fingerprint.d/root/30-silent'],
    ...['dibkit-hook /h/fingerprint.d/root/40-rpm', 'host:rpm four'],
    ...['dibkit-hook /h/fingerprint.d/root/50-partly', 'image:a five', 'undeclared its steps'],
  ]);
  assert.deepEqual(Object.keys(external), [
    'file:/etc/key',
    'file:/etc/other',
    'host:rpm',
    'image:a',
    'url:mirror',
  ]);
  assert.deepEqual(remote, ['20-mirror']);
});
