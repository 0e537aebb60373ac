import assert from 'node:assert/strict';
import { test } from 'node:test';
import { curlStatus } from '../../../src/cache/curl-status.ts';

const STATUSES = {
  ENOTFOUND: 6,
  EAI_AGAIN: 6,
  ECONNREFUSED: 7,
  EHOSTUNREACH: 7,
  short: 18,
  UND_ERR_CONNECT_TIMEOUT: 28,
  UND_ERR_HEADERS_TIMEOUT: 28,
  stalled: 28,
  ENOENT: 37,
  redirects: 47,
  ECONNRESET: 56,
  UND_ERR_SOCKET: 56,
  DEPTH_ZERO_SELF_SIGNED_CERT: 60,
  scheme: 1,
  url: 3,
  whatever: 1,
} as const;

test('curlStatus() is what curl ends with in the same case', () => {
  for (const [code, status] of Object.entries(STATUSES)) {
    assert.equal(curlStatus(code), status, code);
  }
  assert.equal(curlStatus(), 1);
});
