/** The decisions of the stand-in for an openEuler mirror. What it is like is an integration test's claim. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerTo } from './faults.ts';
import { readDeb } from './generate/debs.ts';
import { planRpms } from './generate/plan.ts';
import { RELEASES, repoFile } from './generate/release.ts';
import { renderSpec } from './generate/spec.ts';
import { chooseFiles } from './generate/tree.ts';

function deb(name: string, more = '') {
  return readDeb(`${name}.deb`, `Package: ${name}\nVersion: 1:2.0~rc1-3+b1\n${more}`);
}

test('readDeb() reads a version without epoch and revision, and bare names', () => {
  const control =
    'Provides: who (= 1), what\nPre-Depends: a:any (>= 1)\nDepends: b | c (<< 2),\n d\n';
  assert.deepEqual(deb('x', control), {
    file: 'x.deb',
    name: 'x',
    version: '2.0~rc1',
    provides: ['who', 'what'],
    depends: [['a'], ['b', 'c'], ['d']],
  });
});

test('planRpms() names RPMs, merges packages, and requires the first alternative there is', () => {
  const debs = [
    deb('libc6'),
    deb('libcrypt1', 'Depends: libc6\n'),
    deb('procps', 'Depends: none | libc6, virtual\n'),
    deb('real', 'Provides: virtual\n'),
    deb('linux-image-6.1.0-9-cloud-amd64'),
  ];
  const planned = new Map(planRpms(debs).map((rpm) => [rpm.name, rpm]));
  assert.deepEqual(planned.get('glibc')?.requires, ['filesystem']);
  assert.equal(planned.get('glibc')?.version, '2.0_rc1');
  assert.deepEqual(planned.get('procps-ng')?.requires, ['glibc', 'real', 'filesystem']);
  assert.equal(planned.get('kernel')?.kernel, '6.1.0-9-cloud-amd64');
  assert.ok(planned.get('kernel')?.requires.includes('linux-firmware'));
  assert.equal(planned.has('libcrypt1'), false);
});

test('chooseFiles() owns files, links and empty directories, and no documents', () => {
  const paths = [
    ...['/etc/', '/etc/a.conf', '/usr/', '/usr/share/', '/usr/share/doc/', '/usr/share/doc/x/a'],
    ...['/usr/lib/x/', '/usr/lib/x/y/', '/usr/lib/x/gone', '/var/lib/'],
  ];
  assert.deepEqual(chooseFiles(paths, [/\/gone$/]), [
    { path: '/etc/a.conf', kind: 'config' },
    { path: '/usr/lib/x/y', kind: 'dir' },
  ]);
});

test('renderSpec() writes scriptlets and files under the name of their package', () => {
  const spec = renderSpec([
    {
      ...{ name: 'one', version: '1', release: '2', noarch: true, post: 'true', posttrans: '' },
      requires: ['two'],
      provides: ['three = 3'],
      files: [{ path: '/etc/100%', kind: 'config', attr: '0600, root, root' }],
    },
  ]);
  assert.match(spec, /^%package -n one\nVersion: 1\nRelease: 2\n/m);
  assert.match(spec, /^Requires: two\nProvides: three = 3\n/m);
  assert.match(spec, /^%post -n one\ntrue\n%files -n one\n/m);
  assert.match(spec, /^%attr\(0600, root, root\) %config\(noreplace\) "\/etc\/100%%"$/m);
  assert.doesNotMatch(spec, /%posttrans/);
});

test('repoFile() has metalink lines for the releases that have them, and no $releasever in baseurl', () => {
  const [old, recent] = RELEASES.map(repoFile);
  assert.deepEqual(old?.match(/^\[.*\]$/gm), [
    ...['[OS]', '[everything]', '[EPOL]', '[debuginfo]', '[source]', '[update]'],
  ]);
  assert.doesNotMatch(old ?? '', /metalink|metadata_expire/);
  assert.match(
    recent ?? '',
    /^\[EPOL\]\nname=EPOL\nbaseurl=http:\/\/repo\.openeuler\.org\/openEuler-22\.03-LTS-SP4\/EPOL\/main\/\$basearch\/\nmetalink=https:\/\/mirrors\.openeuler\.org\/metalink\?repo=\$releasever\/EPOL\/main&arch=\$basearch\nmetadata_expire=1h\nenabled=1\ngpgcheck=1\ngpgkey=.*\/OS\/\$basearch\/RPM-GPG-KEY-openEuler$/m,
  );
  assert.doesNotMatch(recent ?? '', /^baseurl=.*releasever/m);
  assert.match(recent ?? '', /^\[update-source\]$/m);
});

const UPDATE = '/openEuler-1/update/x86_64';
const ANSWERS = [
  ['/openEuler-1/OS/a', [], { kind: 'file', path: 'www/openEuler-1/OS/a' }],
  [`${UPDATE}/a`, [{ kind: 'newer' }], { kind: 'file', path: 'variants/update-newer/a' }],
  ['/openEuler-1/docker_img', [{ kind: 'no-docker-img' }], { kind: 'status', status: 404 }],
  [
    `${UPDATE}/repodata/1-primary.xml.gz`,
    [{ kind: 'half-synchronised', repository: 'update' }],
    { kind: 'status', status: 404 },
  ],
  [
    `${UPDATE}/repodata/repomd.xml`,
    [{ kind: 'half-synchronised', repository: 'update' }],
    { kind: 'file', path: 'www/openEuler-1/update/x86_64/repodata/repomd.xml' },
  ],
  [
    '/openEuler-1/EPOL/main/x86_64/repodata/repomd.xml',
    [{ kind: 'wrong-sum' }, { kind: 'status', repository: 'EPOL/main', status: 500 }],
    { kind: 'status', status: 500 },
  ],
] as const;
for (const [path, faults, answer] of ANSWERS) {
  test(`answerTo() says ${answer.kind} to ${path} with ${JSON.stringify(faults)}`, () => {
    assert.deepEqual(answerTo(path, faults), answer);
  });
}
