import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { unknownUser } from '../../../src/phases/container-user.ts';

const tree = await mkdtemp(path.join(os.tmpdir(), 'dibkit-user-'));
after(() => rm(tree, { recursive: true, force: true }));
await mkdir(path.join(tree, 'etc'));
await writeFile(path.join(tree, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nweb:x:10:10::/:/bin/sh\n');
await writeFile(path.join(tree, 'etc/group'), 'root:x:0:\nstaff:x:50:\n');

const USERS: readonly (readonly [string, string | undefined])[] = [
  ['', undefined],
  ['web', undefined],
  ['web:staff', undefined],
  ['1000:1000', undefined],
  ['web:99', undefined],
  ['we', "The user 'we' is not in the image's /etc/passwd"],
  ['web:web', "The group 'web' is not in the image's /etc/group"],
  ['1000:nobody', "The group 'nobody' is not in the image's /etc/group"],
];
for (const [user, expected] of USERS) {
  test(`unknownUser() of '${user}'`, async () => {
    assert.equal(await unknownUser(tree, user), expected);
  });
}

test('unknownUser() follows no link out of the tree, and takes no file for an empty one', async () => {
  await mkdir(path.join(tree, 'linked/etc'), { recursive: true });
  await symlink('/etc/passwd', path.join(tree, 'linked/etc/passwd'));
  assert.equal(await unknownUser(path.join(tree, 'linked'), 'bob'), undefined);
  assert.match((await unknownUser(path.join(tree, 'no'), 'bob')) ?? '', /'bob' is not/);
});
