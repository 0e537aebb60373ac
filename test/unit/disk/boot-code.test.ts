import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootCodeWrites } from '../../../src/disk/boot-code.ts';
import type { ImageLayout } from '../../../src/disk/layout.ts';
import { EFI, failureFrom, GPT, MBR, planOf, WHOLE } from './configs.ts';

function imageOf(text: string, sectorBytes = 512): ImageLayout {
  const [image] = planOf(text, 2048, sectorBytes).images;
  assert.ok(image !== undefined);
  return image;
}

const IMAGES = { bootImg: Buffer.alloc(512, 0xaa), coreImg: Buffer.alloc(30_000, 0xcc) };

test('bootCodeWrites() puts core.img behind an MBR and spares its table', () => {
  const [boot, core, ...rest] = bootCodeWrites(imageOf(MBR), IMAGES);
  assert.deepEqual(rest, []);
  assert.deepEqual([boot?.offsetBytes, boot?.bytes.length], [0, 440]);
  assert.deepEqual([core?.offsetBytes, core?.bytes.length], [512, 30_000]);
  assert.equal(Buffer.from(boot?.bytes ?? []).readBigUInt64LE(0x5c), 1n);
  assert.deepEqual(boot?.bytes.subarray(0x66, 0x69), Buffer.from([0x90, 0x90, 0xaa]));
  assert.equal(Buffer.from(core?.bytes ?? []).readBigUInt64LE(0x1f4), 2n);
});

test('bootCodeWrites() puts core.img into a BIOS boot partition', () => {
  const [boot, core] = bootCodeWrites(imageOf(EFI), IMAGES);
  const start = 551 * 2048;
  assert.equal(core?.offsetBytes, start * 512);
  assert.equal(Buffer.from(boot?.bytes ?? []).readBigUInt64LE(0x5c), BigInt(start));
  assert.equal(Buffer.from(core?.bytes ?? []).readBigUInt64LE(0x1f4), BigInt(start + 1));
});

test('bootCodeWrites() writes nothing where BIOS has nothing to read', () => {
  assert.deepEqual(bootCodeWrites(imageOf(WHOLE), IMAGES), []);
  assert.deepEqual(bootCodeWrites(imageOf(EFI, 4096), IMAGES), []);
  assert.deepEqual(bootCodeWrites(imageOf(GPT.replace("'EF02'", "'8300'")), IMAGES), []);
});

test('bootCodeWrites() refuses a core.img that would reach the first partition', () => {
  const fits = { ...IMAGES, coreImg: Buffer.alloc(2047 * 512) };
  assert.equal(bootCodeWrites(imageOf(MBR), fits).length, 2);
  const failure = failureFrom(() =>
    bootCodeWrites(imageOf(MBR), { ...IMAGES, coreImg: Buffer.alloc(2047 * 512 + 1) }),
  );
  assert.match(
    failure.message,
    /core\.img has 1048065 bytes, but disk "image0" has room for 1048064/,
  );
});

test('bootCodeWrites() refuses damaged images', () => {
  assert.match(
    failureFrom(() => bootCodeWrites(imageOf(MBR), { ...IMAGES, bootImg: Buffer.alloc(0) }))
      .message,
    /^GRUB boot\.img or core\.img in the tree is damaged: unexpected size$/,
  );
});
