import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { lookUpChecksum, parseSha256 } from '../../../src/cache/checksum.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const MD5 = 'c'.repeat(32);

/** text, name, the digest or the reason why there is none */
const CASES: readonly (readonly [string, string, string | RegExp])[] = [
  [`${A}  x.img\n`, 'x.img', A],
  [`${A} *x.img\n`, 'x.img', A],
  [`${A.toUpperCase()}  x.img\n`, 'x.img', A],
  [`${A}  x.img\r\n${B}  y.img\r\n`, 'y.img', B],
  [`${A}  x.img`, 'x.img', A],
  [`SHA256 (x.img) = ${A}\n`, 'x.img', A],
  [`SHA256 (a (b).img) = ${A}\n`, 'a (b).img', A],
  [`MD5 (x.img) = ${MD5}\nSHA1 (x.img) = ${'d'.repeat(40)}\nSHA256 (x.img) = ${A}\n`, 'x.img', A],
  [`SHA512 (x.img) = ${A}${A}\nSHA256 (x.img) = ${B}\n`, 'x.img', B],
  [`${A}${A}  x.img\n${B}  x.img\n`, 'x.img', B],
  [`${MD5}  x.img\n${A}  x.img\n`, 'x.img', A],
  [`${A}  ./x.img\n`, 'x.img', A],
  [`${A}  20240101/x.img\n`, 'x.img', A],
  [`${B}  old/x.img\n${A}  x.img\n`, 'x.img', A],
  [`${A}  a file\n`, 'a file', A],
  [`\\${A}  a\\nb\\\\c\n`, 'a\nb\\c', A],
  [`${A}  a\\nb\n`, 'a\\nb', A],
  [`${A}\n`, 'x.img', A],
  [`${A}  -\n`, 'x.img', A],
  [`# made today\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${A} *x.img\n`, 'x.img', A],
  [`${A}  x.img\n${A}  mirror/x.img\n`, 'x.img', A],
  [`${A}  x.img\n${B}  x.img\n`, 'x.img', /2 different checksums/],
  [`${A}  not-x.img\n`, 'x.img', /no line for 'x.img' among its 1/],
  [`${A}  x.img.xz\n${B}  y\n`, 'x.img', /no line for 'x.img' among its 2/],
  [`${A}\n${B}\n`, 'x.img', /no line/],
  [`${MD5}  x.img\n`, 'x.img', /no SHA-256/],
  ['', 'x.img', /empty/],
  [' \n\n', 'x.img', /empty/],
  ['<!DOCTYPE html><html>404</html>', 'x.img', /web page/],
  [`\n  <html><body>${A}  x.img`, 'x.img', /web page/],
  ['\u0000\u0001binary', 'x.img', /no SHA-256/],
];

test('lookUpChecksum() finds exactly our file in the ugly lists that mirrors publish', () => {
  for (const [text, name, expected] of CASES) {
    const found = lookUpChecksum(text, name);
    if (typeof expected === 'string') {
      assert.deepEqual(found, { kind: 'found', sha256: expected }, JSON.stringify(text));
    } else {
      assert.equal(found.kind, 'missing', JSON.stringify(text));
      assert.match(found.kind === 'missing' ? found.reason : '', expected);
    }
  }
});

test('lookUpChecksum() reads what sha256sum writes, for names of any kind', () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'checksum-'));
  try {
    const names = ['plain', 'with blank', 'new\nline', 'back\\slash', ' (odd) = name', '*star'];
    for (const name of names) {
      writeFileSync(path.join(dir, name), name);
    }
    for (const option of ['--text', '--binary', '--tag']) {
      const args = [option, '--', ...names];
      const { stdout } = spawnSync('sha256sum', args, { cwd: dir, encoding: 'utf8' });
      const digests = names.map((name) => lookUpChecksum(stdout, name));
      assert.equal(new Set(digests.map((each) => JSON.stringify(each))).size, names.length);
      for (const [index, each] of digests.entries()) {
        assert.equal(each.kind, 'found', `${option}: ${JSON.stringify(names[index])}`);
      }
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('parseSha256() takes 64 digits in any case and nothing else', () => {
  assert.equal(parseSha256(` sha256:${A.toUpperCase()}\n`), A);
  for (const wrong of ['', MD5, `${A}0`, `${A} x`, 'z'.repeat(64)]) {
    assert.equal(parseSha256(wrong), undefined);
  }
});
