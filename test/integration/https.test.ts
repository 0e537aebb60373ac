/** Fetching over HTTPS, from a server whose certificate an authority of the test's own has signed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openRig, type Result, type Rig } from '../rig/rig.ts';

const CONTENT = 'content';
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');

let rig: Rig;
let server: Server;
let requests = 0;

before(async () => {
  rig = await openRig();
  makeCertificates(rig.dir);
  const key = readFileSync(path.join(rig.dir, 'server.key'));
  const cert = readFileSync(path.join(rig.dir, 'server.pem'));
  server = createServer({ key, cert }, (_request, response) => {
    requests += 1;
    response.end(CONTENT);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rig[Symbol.asyncDispose]();
});

/** An authority, a certificate for 127.0.0.1 that it signed, and an authority that did not. */
function makeCertificates(dir: string): void {
  const openssl = (...args: readonly string[]): void => {
    execFileSync('openssl', args, { cwd: dir, stdio: 'ignore' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  for (const name of ['ca', 'stranger']) {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    openssl('req', '-x509', ...key, '-subj', `/CN=${name} of a test`, '-days', '2', ...files);
  }
  openssl('req', ...key, '-subj', '/CN=127.0.0.1', '-keyout', 'server.key', '-out', 'server.csr');
  writeFileSync(path.join(dir, 'names'), 'subjectAltName=IP:127.0.0.1\n');
  const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
  const names = ['-extfile', 'names', '-days', '2', '-out', 'server.pem'];
  openssl('x509', '-req', '-in', 'server.csr', ...authority, ...names);
}

function fetchFrom(host: string, certificates: string | undefined): Promise<Result> {
  const { port } = server.address() as AddressInfo;
  const url = `https://${host}:${port}/file`;
  const env = { SSL_CERT_FILE: certificates && path.join(rig.dir, certificates) };
  return rig.run('dibkit', ['fetch', '--url', url, '--sha256', SHA256, 'file'], { env });
}

const REFUSED: readonly {
  readonly claim: string;
  readonly host?: string;
  readonly certificates?: string;
  readonly status: number;
  readonly says: RegExp;
}[] = [
  {
    claim: 'an authority that is not known',
    status: 1,
    says: /certificate/,
  },
  {
    claim: 'another authority than the one that is trusted',
    certificates: 'stranger.pem',
    status: 1,
    says: /certificate/,
  },
  {
    claim: 'a certificate for another name',
    host: 'localhost',
    certificates: 'ca.pem',
    status: 1,
    says: /certificate|altname/i,
  },
  {
    claim: 'a file of certificates that is not there',
    certificates: 'nothing.pem',
    status: 2,
    says: /nothing\.pem/,
  },
];
for (const { claim, host = '127.0.0.1', certificates, status, says } of REFUSED) {
  test(`a server is refused for ${claim}, and asked for nothing`, async () => {
    const result = await fetchFrom(host, certificates);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, says);
    assert.equal(requests, 0);
    await assert.rejects(readFile(path.join(rig.cache, 'file')));
  });
}

test('a server whose authority SSL_CERT_FILE has is believed', async () => {
  const result = await fetchFrom('127.0.0.1', 'ca.pem');
  assert.equal(result.status, 0, result.stderr);
  assert.equal(await readFile(path.join(rig.cache, 'file'), 'utf8'), CONTENT);
  assert.equal(requests, 1);
});
