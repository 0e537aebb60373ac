import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namespaceArgv, privilegedArgv } from '../../../src/sandbox/namespace.ts';
import {
  describeRefusal,
  explainRefusal,
  mayMount,
  type NamespaceFacts,
} from '../../../src/sandbox/namespace-refusal.ts';
import { isNamespaceMap } from '../../../src/sandbox/user-namespace.ts';

const RANGES = 'ann:100000:65536\n';
const STATUS =
  'NoNewPrivs:\t0\nSeccomp:\t0\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n';

function facts(changes: Partial<NamespaceFacts>): NamespaceFacts {
  return {
    user: 'ann',
    uid: 1000,
    subuid: RANGES,
    subgid: RANGES,
    status: STATUS,
    said: [],
    ...changes,
  };
}

const TABLE: readonly [string, Partial<NamespaceFacts>, RegExp, RegExp][] = [
  [
    'no line at all',
    { subuid: '', subgid: '' },
    /'ann' has no range of user ids in \/etc\/subuid/,
    /usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann\n.*'ann:100000:65536' in \/etc\/subuid and \/etc\/subgid/,
  ],
  [
    'a range after those of others, on the grid',
    { subuid: 'bob:100000:65536\neve:165536:1000\n', subgid: '' },
    /no range of user ids/,
    /--add-subuids 231072-296607 --add-subgids 231072-296607 ann/,
  ],
  [
    'only the group is missing',
    { subgid: '# nothing\n' },
    /no range of group ids in \/etc\/subgid/,
    /usermod --add-subgids 165536-231071 ann/,
  ],
  [
    'a short range, by number',
    { subuid: '1000:100000:5000\n', subgid: '1000:100000:65536\n' },
    /has 5000 user ids in \/etc\/subuid, and an image needs 65535/,
    /^As root: sed -i 's\/\^1000:100000:5000\$\/ann:165536:65536\/' \/etc\/subuid$/,
  ],
  [
    'a short range before a long one, which unshare does not look at',
    { subuid: `ann:500000:1000\n${RANGES}` },
    /has 1000 user ids in \/etc\/subuid/,
    /^As root: sed -i 's\/\^ann:500000:1000\$\/ann:558752:65536\/' \/etc\/subuid$/,
  ],
  [
    'a short range of users and none of groups',
    { subuid: 'ann:100000:1000\n', subgid: '' },
    /has 1000 user ids in \/etc\/subuid/,
    /usermod --add-subgids 165536-231071 ann\n.*in \/etc\/subgid\n.*sed -i .* \/etc\/subuid$/,
  ],
  [
    'a number without a name',
    { user: '1000', subuid: '', subgid: '' },
    /number 1000 has no name in \/etc\/passwd/,
    /useradd --uid 1000/,
  ],
  [
    'a newuidmap without its bit',
    { said: ['newuidmap: write to uid_map failed: Operation not permitted'] },
    /newuidmap .* setuid/,
    /chmod u\+s .*newuidmap/,
  ],
  ['user.max_user_namespaces', { maxUserNamespaces: 0 }, /is 0/, /sysctl -w user\.max_user_nam/],
  [
    'a limit further up',
    { maxUserNamespaces: 50, said: ['unshare: unshare failed: No space left on device'] },
    /user\.max_user_namespaces is 50/,
    /sysctl -w user\.max_user_namespaces=15000/,
  ],
  [
    'a limit that others have used up',
    { maxUserNamespaces: 20_000, said: ['unshare: unshare failed: No space left on device'] },
    /user\.max_user_namespaces is 20000/,
    /sysctl -w user\.max_user_namespaces=40000/,
  ],
  ["Debian's switch", { unprivilegedClone: 0 }, /userns_clone is 0/, /unprivileged_userns_clone=1/],
  [
    "Ubuntu's switch",
    { apparmorRestricts: 1 },
    /apparmor_restrict_unprivileged_userns is 1/,
    /sysctl -w kernel\.apparmor_restrict_unprivileged_userns=0/,
  ],
  [
    'no_new_privs',
    { status: STATUS.replace('NoNewPrivs:\t0', 'NoNewPrivs:\t1') },
    /no_new_privs/,
    /allowPrivilegeEscalation/,
  ],
  [
    'seccomp',
    {
      status: STATUS.replace('Seccomp:\t0', 'Seccomp:\t2'),
      said: ['unshare: unshare failed: Operation not permitted'],
    },
    /seccomp/,
    /seccomp=unconfined/,
  ],
  [
    'a container without the capability',
    {
      status: STATUS.replace('1ff', '1fe').replace('ffffffff\n', 'a80425fb\n'),
      said: ['newuidmap: write to uid_map failed: Operation not permitted'],
    },
    /container/,
    /setcap cap_setuid\+ep/,
  ],
  [
    'a /proc with parts hidden',
    { said: ['unshare: mount /proc failed: Operation not permitted'] },
    /hides parts of \/proc/,
    /systempaths=unconfined/,
  ],
  [
    'an old unshare',
    { said: ["unshare: unrecognized option '--map-auto'"] },
    /--map-auto/,
    /util-linux 2\.38/,
  ],
  ['anything else', { said: ['unshare: surprise', ''] }, /unshare: surprise/, /unshare --user/],
  ['silence', {}, /kernel refuses/, /unshare --user/],
];

for (const [claim, changes, reason, remedy] of TABLE) {
  test(`explainRefusal() explains ${claim}`, () => {
    const refusal = explainRefusal(facts(changes));
    assert.match(refusal.reason, reason);
    assert.match(refusal.remedy, remedy);
  });
}

test('describeRefusal() does not send root to root', () => {
  const refusal = { reason: 'no reason', remedy: 'Try again' };
  const told = describeRefusal(refusal, { what: 'build an image', uid: 0 });
  assert.match(told.message, /^Cannot build an image as a root who may not mount: no reason$/);
  assert.equal(told.hint, 'Try again');
  assert.match(
    describeRefusal(refusal, { what: 'build', uid: 1000 }).hint,
    /^Try again\nOr run the same command as root/,
  );
});

test('mayMount() reads one capability of one set', () => {
  assert.equal(mayMount(STATUS, 'CapEff'), false);
  assert.equal(mayMount(STATUS, 'CapBnd'), true);
  assert.equal(mayMount('CapEff:\t0000000000200000\n', 'CapEff'), true);
  assert.equal(mayMount('', 'CapEff'), false);
});

test("isNamespaceMap() tells the host's own map from all others", () => {
  assert.equal(isNamespaceMap('         0          0 4294967295\n'), false);
  assert.equal(isNamespaceMap('         0       1000          1\n'), true);
  assert.equal(isNamespaceMap('         0          0      65536\n'), true);
  assert.equal(isNamespaceMap(''), true);
});

test('only an ordinary user gets a user namespace', () => {
  assert.ok(!namespaceArgv(['true']).includes('--user'));
  assert.ok(namespaceArgv(['true'], 'user-namespace').includes('--user'));
  assert.deepEqual(privilegedArgv(['sh', '-c', 'x'], 'root'), ['sh', '-c', 'x']);
  assert.deepEqual(privilegedArgv(['sh'], 'user-namespace'), [
    ...['unshare', '--user', '--map-root-user', '--map-auto', 'sh'],
  ]);
});
