import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  historyFile,
  renderStamp,
  repositoryListBase,
  statePaths,
  submitLogDay,
  submitLogName,
} from '../../../src/migration/state.ts';

const CENTOS = { os: 'centos', version: '9-stream' };
const PATHS = statePaths('/state');

test('lists and logs have the names that operators know', () => {
  const at = new Date(2024, 10, 15, 2, 13, 16);
  assert.equal(renderStamp(at), '20241115-021316');
  assert.equal(historyFile(PATHS, CENTOS), '/state/data/rpm_src_history_list_centos_9-stream');
  assert.equal(
    submitLogName(CENTOS, 'aarch64', at),
    'submit-log-centos_9-stream_aarch64-20241115-021316',
  );
});

const DAYS = [
  ['submit-log-centos_9-stream_aarch64-20241115-021316', '20241115'],
  ['submit-log-centos_9-stream_aarch64-20241115-021316-2', '20241115'],
  ['submit-log-snapshot_20200101_x86_64-20241115-021316', '20241115'],
  ['submit-log-notes', undefined],
  ['other-20241115-021316', undefined],
] as const;

test('the day of a log directory is the last date in its name', () => {
  for (const [name, day] of DAYS) {
    assert.equal(submitLogDay(name), day, name);
  }
});

test('the list of a repository cannot leave its directory, whatever its id', () => {
  for (const id of ['..', '../../x', '/etc/x', '.', 'http://h/a?b#c']) {
    const base = repositoryListBase(PATHS, CENTOS, id);
    assert.match(base, /^\/state\/data\/lists\/centos_9-stream\/[A-Za-z0-9_%-][A-Za-z0-9_.%-]*$/);
  }
  assert.notEqual(
    repositoryListBase(PATHS, CENTOS, 'a/b'),
    repositoryListBase(PATHS, CENTOS, 'a%2fb'),
  );
});
