import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redact, redactEvent } from '../../../src/events/redact.ts';

const CASES: readonly (readonly [string, string])[] = [
  ['nothing here', 'nothing here'],
  ['mail me@example.org', 'mail me@example.org'],
  ['http://me:secret@host/a', 'http://***@host/a'],
  [
    'get https://token@host:8080/x and http://a:b@c',
    'get https://***@host:8080/x and http://***@c',
  ],
  ['http://host/a@b', 'http://host/a@b'],
  ['http://host:80/a@b', 'http://host:80/a@b'],
  ['http://me:p@ss@host/', 'http://***@host/'],
  ['http://me:p/ss@host/', 'http://***@host/'],
  ['ssh://git@host/repo', 'ssh://git@host/repo'],
  ['git+ssh://git:pw@host/repo', 'git+ssh://***@host/repo'],
  ['git@host:repo.git', 'git@host:repo.git'],
  ['http_proxy=me:secret@proxy:3128', 'http_proxy=***@proxy:3128'],
  ["export HTTPS_PROXY='me:secret@proxy:3128'", "export HTTPS_PROXY='***@proxy:3128'"],
  ['http_proxy=http://me:secret@proxy', 'http_proxy=http://***@proxy'],
  ['Acquire::http::Proxy "http://u:p@h:1/";', 'Acquire::http::Proxy "http://***@h:1/";'],
];

test('redact() masks what is a credential, and only that', () => {
  for (const [text, expected] of CASES) {
    assert.equal(redact(text), expected, text);
    assert.equal(redact(expected), expected, `twice: ${text}`);
  }
});

test('redact() reads a hostile line in linear time', () => {
  const line = `@${'://a:x'.repeat(40_000)}`;
  const started = performance.now();
  redact(line);
  assert.ok(performance.now() - started < 2000);
});

test('redactEvent() reaches strings at every depth and keeps an innocent event as it is', () => {
  const innocent = { kind: 'output', line: 'x@y' } as const;
  assert.equal(redactEvent(innocent), innocent);
  const event = redactEvent({
    kind: 'build-end',
    durationMs: 1,
    failure: {
      kind: 'tool',
      message: 'Cannot fetch http://a:b@c/',
      argv: ['curl', 'http://a:b@c/'],
      status: 1,
      lastLines: ['http_proxy=a:b@c'],
    },
  });
  assert.doesNotMatch(JSON.stringify(event), /a:b/);
  assert.match(JSON.stringify(event), /"argv":\["curl","http:\/\/\*\*\*@c\/"\]/);
});
