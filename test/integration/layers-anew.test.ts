/** Layers that are there and may not be used: too old, of an unknown origin, or what they mount is gone. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { openPhone } from '../rig/phone.ts';
import { hook, openRig, type Result, type Rig } from '../rig/rig.ts';

interface Listed {
  readonly key: string;
  readonly phase?: string;
  readonly inUse: boolean;
}

async function listed(rig: Rig): Promise<readonly Listed[]> {
  return JSON.parse((await rig.run('dibkit', ['cache', 'ls', '--json'])).stdout) as Listed[];
}

async function built(rig: Rig, ...args: readonly string[]): Promise<Result> {
  const result = await rig.run('disk-image-create', ['-n', '-o', 'it', ...args]);
  assert.equal(result.status, 0, result.stdout + result.stderr);
  return result;
}

/** The first reason for which a phase was run; undefined for one that was not. */
function reasonOf({ events }: Result, phase: string): string | undefined {
  const [run] = events.flatMap((event) =>
    event.kind === 'layer' && event.phase === phase && event.outcome === 'run' ? event.reasons : [],
  );
  return run;
}

function fromArchive(rig: Rig, file: string): string {
  const archive = path.join(rig.out, 'it.tgz');
  return execFileSync('tar', ['-xzOf', archive, file], { encoding: 'utf8' });
}

test('a phase that cannot be known to be the same runs anew, and all that follows has what it made', async () => {
  await using rig = await openRig();
  await rig.element('drawing', {
    'fingerprint.d/install/10-say': hook('echo "the-draw unknown"'),
    'install.d/10-draw': hook('cat /proc/sys/kernel/random/uuid >/etc/drawn'),
    'finalise.d/10-copy': hook('cp /etc/drawn /etc/copy'),
  });
  const seen: string[] = [];
  // The third time the first layer's key is free again; the tree lies in the store.
  for (const options of [[], [], ['--no-tmpfs']]) {
    await built(rig, ...options, '-t', 'tgz', 'tiny', 'drawing');
    const drawn = fromArchive(rig, './etc/drawn');
    assert.equal(fromArchive(rig, './etc/copy'), drawn, 'of one tree');
    assert.ok(!seen.includes(drawn), 'drawn anew');
    seen.push(drawn);
  }
  const left = (await listed(rig)).map(({ phase }) => phase);
  assert.equal(left.filter((phase) => phase === 'install').length, 1, 'the old ones are gone');
  assert.equal(left.filter((phase) => phase === 'finalise').length, 1, 'with what stands on them');
});

test('a layer that is too old is made once more, by one of the builds that need it, and then it is young', async () => {
  await using rig = await openRig();
  await using phone = await openPhone();
  const shared = path.join(rig.dir, 'shared');
  await rig.element('calling', {
    'root.d/90-call': phone.hook('root'),
    'extra-data.d/10-bind': hook(
      `mkdir -p ${shared} "$TMP_MOUNT_PATH/m"; mount --bind ${shared} "$TMP_MOUNT_PATH/m"`,
    ),
  });
  const start = (name: string) =>
    rig.start('disk-image-create', ['-n', '-t', 'tar', '-o', name, 'tiny', 'calling']);
  const once = start('once');
  (await phone.next('root')).exit(0);
  assert.equal((await once.exit).status, 0);

  for (const { key } of await listed(rig)) {
    const record = path.join(rig.cache, 'layers', key, 'layer.json');
    const before = await readFile(record, 'utf8');
    await writeFile(
      record,
      before.replace(/"created":"[^"]*"/, '"created":"2001-01-01T00:00:00Z"'),
    );
  }
  const first = start('first');
  const call = await phone.next('root');
  const second = start('second');
  await second.event((event) => event.kind === 'lock-wait');
  // It would fail: nobody is to call any more.
  void phone.next('root').then((more) => more.exit(1));
  call.exit(0);
  const [one, two] = await Promise.all([first.exit, second.exit]);
  assert.deepEqual([one.status, two.status], [0, 0], one.stderr + two.stderr);
  assert.match(reasonOf(one, 'root') ?? '', /longer than DIB_CACHE_MAX_AGE allows/);
  assert.equal(reasonOf(two, 'root'), undefined);

  await rm(shared, { recursive: true });
  const { stdout } = await built(rig, '-t', 'tar', '--explain', 'tiny', 'calling');
  assert.match(stdout, /^root +reused/m);
  assert.ok(stdout.includes(`runs    what its hooks had mounted is gone: ${shared}`), stdout);
});

test('what a hook replaced by something of another kind is so again; a pipe in the hook tree costs the layers', async () => {
  await using rig = await openRig();
  const look = `cd "$TMP_HOOKS_PATH/static"; [ -f a/new ] && [ -f b ] && [ "$(readlink c)" = b ]`;
  await rig.element('replacing', {
    'static/a': 'file\n',
    'static/b/old': 'in a directory\n',
    'static/c': 'file\n',
    'extra-data.d/10-replace': hook(
      'cd "$TMP_HOOKS_PATH/static"; rm -r a b c; mkdir a; touch a/new b; ln -s b c',
    ),
    'pre-finalise.d/10-look': hook(look),
  });
  await built(rig, '-t', 'tar', 'tiny', 'replacing');
  await rig.element('replacing', {
    'pre-finalise.d/10-look': hook(`${look}; mkfifo "$TMP_HOOKS_PATH/pipe"`),
  });
  const again = await built(rig, '-t', 'tar', 'tiny', 'replacing');
  assert.equal(reasonOf(again, 'extra-data'), undefined);
  assert.match(again.stdout, /Phase pre-finalise and .* not kept .*: pipe in the hook tree is no/);
});
