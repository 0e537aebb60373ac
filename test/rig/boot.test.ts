import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { boot, qemuArgv } from './boot.ts';
import { Console } from './console.ts';

test('Console matches each text once, across chunks and through control sequences', async () => {
  const output = new Console();
  const first = output.next(/host login: $/);
  output.append('boot\r\n\u001b[1mho');
  output.append('st log\u001b[0min: ');
  assert.equal(await first, 'boot\nhost login: ');
  const second = output.next(/login: /);
  output.append('again\nlogin: x');
  assert.equal(await second, 'again\nlogin: ');
  assert.equal(await output.next(/x/), 'x');
  assert.equal(output.lastLines(1), 'login: x');
});

test('qemuArgv() doubles commas in file names and never writes to the image', () => {
  const argv = qemuArgv('/tmp/a,b.raw', {});
  assert.ok(argv.includes('file=/tmp/a,,b.raw,format=raw,if=virtio,snapshot=on'));
});

/**
 * A boot sector that prints "OK login: " on the first serial port and halts. 16-bit code: DX = port,
 * SI = text; lodsb; test al,al; jz end; out dx,al; jmp; hlt.
 */
function bootSector(text: string): Buffer {
  const sector = Buffer.alloc(1024 * 1024);
  const code = [
    ...[0x31, 0xc0, 0x8e, 0xd8, 0xba, 0xf8, 0x03, 0xbe, 0x20, 0x7c],
    ...[0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8, 0xf4, 0xeb, 0xfd],
  ];
  Buffer.from(code).copy(sector);
  sector.write(`${text}\0`, 0x20, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/** Prints the first text, and the second one when it is sent something. */
function disturbedBootSector(first: string, second: string): Buffer {
  const sector = Buffer.alloc(1024 * 1024);
  const print = [0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8];
  const code = [
    // xor ax,ax; mov ds,ax; mov dx,3f8; mov si,7c40: print
    ...[0x31, 0xc0, 0x8e, 0xd8, 0xba, 0xf8, 0x03, 0xbe, 0x40, 0x7c, ...print],
    // mov dx,3fd; in al,dx; test al,1; jz back to in; mov dx,3f8: print what follows; hlt
    ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0xba, 0xf8, 0x03, ...print],
    ...[0xf4, 0xeb, 0xfd],
  ];
  Buffer.from(code).copy(sector);
  sector.write(`${first}\0${second}\0`, 0x40, 'latin1');
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

test('waitForLogin() asks again for a prompt that the kernel has spoken into', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'boot-test-'));
  try {
    const image = path.join(dir, 'tiny.raw');
    const disturbed = 'host [   45.7] EXT4-fs: resized\nlogin: ';
    await writeFile(image, disturbedBootSector(disturbed, '\nhost login: '));
    await using machine = await boot(image, { memoryMiB: 64 });
    const said = await machine.waitForLogin(60_000);
    assert.match(said, /resized\nlogin: \nhost login: $/);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('boot() sees what the guest prints, times out with the last lines, and leaves no machine', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'boot-test-'));
  try {
    const image = path.join(dir, 'tiny.raw');
    await writeFile(image, bootSector('OK login: '));
    let port = 0;
    {
      await using machine = await boot(image, { memoryMiB: 64 });
      port = await machine.sshPort();
      const inside = connect(port, '127.0.0.1');
      await once(inside, 'connect');
      inside.destroy();
      await machine.waitFor(/OK login: $/, 60_000);
      await assert.rejects(machine.waitFor(/never printed/, 50), /OK login/);
    }
    const socket = connect(port, '127.0.0.1');
    const [error] = await once(socket, 'error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('boot() says why a machine ended', async () => {
  await using machine = await boot('/nonexistent.raw');
  await assert.rejects(machine.waitFor(/login/, 60_000), /machine ended.*nonexistent/s);
});
