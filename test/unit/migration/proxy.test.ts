import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxyAuthorization, proxyFor } from '../../../src/migration/proxy.ts';

const HTTP = 'http://mirror.test:8080/x';
const HTTPS = 'https://mirror.test/x';

const ROWS: readonly (readonly [
  url: string,
  env: Record<string, string>,
  proxy: string | undefined,
])[] = [
  [HTTP, {}, undefined],
  [HTTP, { http_proxy: 'http://p:3128' }, 'http://p:3128/'],
  [HTTP, { http_proxy: 'p:3128' }, 'http://p:3128/'],
  [HTTP, { HTTP_PROXY: 'http://p:3128' }, undefined],
  [HTTP, { https_proxy: 'http://p:3128' }, undefined],
  [HTTPS, { https_proxy: 'http://p:3128' }, 'http://p:3128/'],
  [HTTPS, { HTTPS_PROXY: 'http://p:3128' }, 'http://p:3128/'],
  [HTTPS, { ALL_PROXY: 'http://p:3128', https_proxy: '' }, 'http://p:3128/'],
  [HTTPS, { https_proxy: 'http://p', no_proxy: 'test' }, undefined],
  [HTTPS, { https_proxy: 'http://p', no_proxy: 'a, .mirror.test' }, undefined],
  [HTTPS, { https_proxy: 'http://p', no_proxy: '*' }, undefined],
  [HTTPS, { https_proxy: 'http://p', NO_PROXY: 'rror.test' }, 'http://p/'],
  [HTTP, { http_proxy: 'http://p', no_proxy: 'mirror.test:8080' }, undefined],
  [HTTP, { http_proxy: 'http://p', no_proxy: 'mirror.test:80' }, 'http://p/'],
];

test('the proxy for an address is the one that curl would take', () => {
  for (const [url, env, proxy] of ROWS) {
    assert.equal(proxyFor(new URL(url), env)?.href, proxy, `${url} ${JSON.stringify(env)}`);
  }
});

test('a proxy with a user is told who it is', () => {
  assert.deepEqual(proxyAuthorization(new URL('http://p')), {});
  assert.deepEqual(proxyAuthorization(new URL('http://me:a%40b@p')), {
    'proxy-authorization': `Basic ${Buffer.from('me:a@b').toString('base64')}`,
  });
});
