import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Ending,
  judge,
  parseSubmitOutput,
  redactSecrets,
} from '../../../src/migration/submit-output.ts';

const CODE = (code: number): Ending => ({ kind: 'code', code });

/** What the original makes of it, by its rules: an id that begins with z9. */
const VERDICTS: readonly (readonly [what: string, ending: Ending, said: string, kind: string])[] = [
  ['a job', CODE(0), 'submit j.yaml, got job id=z9.29769988\n', 'submitted'],
  ['a job of another laboratory', CODE(0), 'submit j.yaml, got job id=crystal.1\n', 'submitted'],
  ['an old form', CODE(0), 'got_job_id=nolab.7', 'submitted'],
  ['a job, and a bad end', CODE(1), 'submit j, got job id=z9.1\nboom\n', 'submitted'],
  ['a job, and a kill', { kind: 'signal', signal: 'SIGKILL' }, 'got job id=z9.1', 'submitted'],
  ['one job of two', CODE(0), 'a, got job id=z9.1\nb failed, got job id=0, error: x', 'submitted'],
  ['a refusal', CODE(0), 'submit j failed, got job id=0, error: no such tbox.', 'refused'],
  [
    'a wrong account',
    CODE(0),
    'j failed, got job id=0, error: Failed to verify the account.',
    'hopeless',
  ],
  ['no connection', CODE(1), 'Connection refused', 'refused'],
  ['an answer that did not come', CODE(1), 'Timed out reading data from server', 'unknown'],
  ['nothing', CODE(0), '', 'unknown'],
  ['garbage', CODE(0), '<html>got job</html> id=', 'unknown'],
  ['job id 0 and no reason', CODE(0), 'submit j, got job id=0', 'unknown'],
  ['a crash', { kind: 'signal', signal: 'SIGSEGV' }, '', 'unknown'],
  ['too long', { kind: 'late', seconds: 600 }, 'submit_id=1', 'unknown'],
  ['nobody saw it', { kind: 'unseen' }, 'submit_id=1', 'unknown'],
  ['no command', { kind: 'spawn-error', code: 'ENOENT' }, '', 'hopeless'],
];

for (const [what, ending, said, kind] of VERDICTS) {
  test(`${what} is ${kind}`, () => {
    assert.equal(judge(ending, parseSubmitOutput(said), said).kind, kind);
  });
}

test('the jobs and result roots among noise are found, each once', () => {
  const said = `WARN -- skip non-executable x
submit_id=241012172942926152
submit ./job.yaml, got job id=z9.1\r
result_root /srv/result/a/z9.1\r
submit ./job.yaml, got job id=z9.1
submit ./job.yaml, got job id=z9.2
result_root
result_root relative
`;
  assert.deepEqual(parseSubmitOutput(said), {
    jobs: ['z9.1', 'z9.2'],
    resultRoots: ['/srv/result/a/z9.1'],
    refusals: [],
  });
});

const SECRETS = [
  ['my_token: s3cr3t', 'my_token: ***'],
  ['my_token=s3cr3t&a=b', 'my_token=***&a=b'],
  ['{"my_token": "s3cr3t \\" s3cr3t", "a": "b"}', '{"my_token": ***, "a": "b"}'],
  ['{\\"my_token\\":\\"s3cr3t\\",\\"a\\":1}', '{\\"my_token\\":***,\\"a\\":1}'],
  ['{:my_token=>"s3cr3t", :a=>1}', '{:my_token=>***, :a=>1}'],
  ["PASSWORD='s3cr3t x'", 'PASSWORD=***'],
  ['curl --token s3cr3t http://h', 'curl --token *** http://h'],
  ['Authorization: Bearer s3cr3t.abc', 'Authorization: Bearer ***'],
  ['SECRET_KEY_BASE=s3cr3t', 'SECRET_KEY_BASE=***'],
  ['my_name: Me', 'my_name: Me'],
  ['got job id=z9.1', 'got job id=z9.1'],
] as const;

test('what is called a token, password or secret is not shown', () => {
  for (const [text, shown] of SECRETS) {
    assert.equal(redactSecrets(text), shown);
    assert.equal(redactSecrets(shown), shown);
  }
});
