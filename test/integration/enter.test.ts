/** `dibkit enter`: into a build that is stopped or runs, from another terminal. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { asOrdinaryUser, USER } from '../rig/ordinary-user.ts';
import { openPhone } from '../rig/phone.ts';
import { hook, openRig, type Rig, type RunOptions } from '../rig/rig.ts';
import { openTerminal, type TerminalSession } from '../rig/terminal.ts';

async function writeElement(rig: Rig): Promise<void> {
  await rig.element('mine', {
    'environment.d/10-greet':
      'export GREETING="a  b"\ngreet() { echo "<$GREETING>"; }\nexport -f greet\n',
    'install.d/50-foo': hook('greet >/made-by-hook'),
  });
}

/** A build that is stopped before the hook, and its name. */
async function stoppedBuild(
  rig: Rig,
  who: RunOptions = {},
): Promise<{ session: TerminalSession; name: string }> {
  const image = path.join(rig.out, 'image');
  const args = ['-n', '-t', 'tar', '-o', image, 'tiny', 'mine'] as const;
  const session = openTerminal(rig, ['disk-image-create', ...args], {
    ...who,
    env: { ...who.env, break: 'before-50-foo', DIB_NO_TIMESTAMP: '1' },
  });
  const seen = await session.sees(/dib_build\.\w+[\s\S]*\[before-install\.d\/50-foo\] .*# /);
  return { session, name: /dib_build\.\w+/.exec(seen)?.[0] ?? '' };
}

test('a stopped build is entered for a command and with a shell, then goes on', async () => {
  await using rig = await openRig();
  await writeElement(rig);
  const { session, name } = await stoppedBuild(rig);
  await using _ = session;

  const list = await rig.run('dibkit', ['enter', '--list']);
  assert.match(
    list.stdout,
    new RegExp(`${name} .*tiny mine {2}stopped at before-install.d/50-foo in install\n`),
  );

  const script = 'greet; cat /etc/os-release; pwd; exit 5';
  const ran = await rig.run('dibkit', ['enter', name, '--', 'bash', '-c', script]);
  assert.deepEqual([ran.status, ran.stderr], [5, '']);
  assert.equal(ran.stdout, '<a  b>\nID=tiny\nNAME=Tiny\n/\n');

  const outside = await rig.run('dibkit', [
    'enter',
    '--host',
    name,
    '--',
    'sh',
    '-c',
    'pwd; ls "$TMP_MOUNT_PATH"',
  ]);
  assert.match(outside.stdout, new RegExp(`^${rig.out}\nbin\n`));

  await using second = openTerminal(rig, ['dibkit', 'enter', name]);
  await second.sees(
    /stopped at before-install\.d\/50-foo[\s\S]*waits for the shell[\s\S]*install\] .*# /,
  );
  second.types('where; greet | tee /made-by-hand; echo $$\r');
  await second.sees(/waits for the shell[\s\S]*<a {2}b>\n\d+\n/);
  second.types('exit\r');
  assert.equal(await second.status, 0, second.text);
  assert.doesNotMatch(second.text, /outside again/);

  await using third = openTerminal(rig, ['dibkit', 'enter', name]);
  await third.sees(/Nothing from here on is kept for later builds\n[\s\S]*install\] .*# /);

  session.types('cat /made-by-hand\r');
  await session.sees(/\n<a {2}b>\n/);
  session.types('exit\r');
  assert.equal(await session.status, 0, session.text);
  // Who was thrown out must not take her own shell for the build's.
  assert.equal(await third.status, 0, third.text);
  assert.match(third.text, /\nThe build has ended this shell: you are outside again\n$/);
});

test('a build that runs is entered with the environment of its hook', async () => {
  await using phone = await openPhone();
  await using rig = await openRig();
  await rig.element('mine', {
    'environment.d/10-when': 'export SEEN_BY=hooks\n',
    'post-root.d/50-call': phone.hook('call'),
  });
  const started = rig.start('disk-image-create', [
    '-n',
    '-t',
    'tar',
    '-o',
    'image',
    'tiny',
    'mine',
  ]);
  const call = await phone.next('call');
  const name = path.basename(call.environment.TMP_BUILD_DIR ?? '');
  const ran = await rig.run('dibkit', [
    'enter',
    name,
    '--',
    'sh',
    '-c',
    'echo "$SEEN_BY"; pwd; ls "$TMP_MOUNT_PATH/etc/os-release"',
  ]);
  assert.equal(ran.stderr, '');
  assert.equal(
    ran.stdout,
    `hooks\n${rig.out}\n${call.environment.TMP_MOUNT_PATH}/etc/os-release\n`,
  );
  call.exit(0);
  assert.equal((await started.exit).status, 0);
  const gone = await rig.run('dibkit', ['enter', name, '--', 'true']);
  assert.equal(gone.status, 2);
  assert.match(gone.stderr, /Cannot (find a running build|enter a build: none)/);
});

test('dibkit enter says what is wrong when it cannot', async () => {
  await using rig = await openRig();
  await writeElement(rig);
  const { session, name } = await stoppedBuild(rig);
  await using _ = session;

  const shell = await rig.run('dibkit', ['enter', name]);
  assert.equal(shell.status, 2);
  assert.match(
    shell.stderr,
    /Cannot open a shell: there is no terminal\n[\s\S]*dibkit enter BUILD -- COMMAND/,
  );

  const unknown = await rig.run('dibkit', ['enter', `${name}x`, '--', 'true']);
  assert.equal(unknown.status, 2);
  assert.match(
    unknown.stderr,
    new RegExp(`Did you mean ${name}(?: or|\\?)[\\s\\S]*stopped at before-install`),
  );

  // Alone in a PID namespace there is no other build, whatever else runs on this machine.
  const alone = await rig.run('dibkit', ['enter'], {
    through: ['unshare', '--pid', '--fork', '--mount-proc'],
  });
  assert.equal(alone.status, 2);
  assert.match(alone.stderr, /Cannot enter a build: none is running/);

  const stranger = await rig.run('dibkit', ['enter', name, '--', 'true'], {
    through: ['setpriv', '--reuid', '65534', '--clear-groups'],
  });
  assert.equal(stranger.status, 2);
  assert.match(
    stranger.stderr,
    /a build of the user with the id 0\n[\s\S]*sudo -u '#0' dibkit enter/,
  );

  const other = await stoppedBuild(rig);
  await using __ = other.session;
  const several = await rig.run('dibkit', ['enter', path.join(rig.out, 'image'), '--', 'true']);
  assert.equal(several.status, 2);
  assert.match(several.stderr, /there are several\n[\s\S]*Name one of them/);
  assert.ok(several.stderr.includes(name) && several.stderr.includes(other.name), several.stderr);
});

test('an ordinary user stops and enters her own build, which root leaves alone', async () => {
  await using rig = await openRig();
  await writeElement(rig);
  const her = await asOrdinaryUser(rig);
  const { session, name } = await stoppedBuild(rig, her);
  await using _ = session;

  const script = 'greet; id -u; cat /etc/os-release';
  const ran = await rig.run('dibkit', ['enter', name, '--', 'bash', '-c', script], her);
  assert.deepEqual([ran.status, ran.stdout], [0, '<a  b>\n0\nID=tiny\nNAME=Tiny\n'], ran.stderr);
  const root = await rig.run('dibkit', ['enter', name, '--', 'true']);
  assert.equal(root.status, 2);
  assert.match(root.stderr, new RegExp(`a build of the user with the id ${USER.uid}\n`));

  session.types('greet; exit\r');
  await session.sees(/<a {2}b>\n/);
  assert.equal(await session.status, 0, session.text);
});
