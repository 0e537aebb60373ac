import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  doesNotFit,
  fitsIn,
  hostBytes,
  leastFileSystemMiB,
  leastImageSize,
  passingBytes,
} from '../../../src/disk/does-not-fit.ts';
import { type FileSystemNeed, isLacking, roomOf, rootHasRoom } from '../../../src/disk/room.ts';
import { EFI, MBR, planOf, SEPARATE } from './configs.ts';

/** What `blocks` and `inodes` are to the file system at `mountPoint` of a configuration. */
function needAt(
  text: string,
  sizeMiB: number,
  need: { readonly mountPoint?: string; readonly blocks: number; readonly inodes: number },
): FileSystemNeed {
  const { mountPoint = '/', blocks, inodes } = need;
  const fs = planOf(text, sizeMiB).fileSystems.find((one) => one.mountPoint === mountPoint);
  const room = fs && roomOf(fs);
  assert.ok(fs !== undefined && room !== undefined);
  return { fs, room, need: { blocks, inodes } };
}

test('a message has what is needed and what is there', () => {
  const lacking = needAt(MBR, 64, { blocks: 100_000, inodes: 12 });
  assert.ok(isLacking(lacking));
  assert.match(
    doesNotFit(lacking.fs, ['Do this'], lacking).message,
    /^The files below "\/" do not fit in file system "cloudimg-rootfs" of 62 MiB: they need 97\.7 MiB in 12 inodes, and it has room for \d+(\.\d)? MiB and \d+ inodes$/,
  );
});

test('the size that is advised is one that does, and not much larger', () => {
  const lacking = needAt(MBR, 64, { blocks: 100_000, inodes: 12 });
  const planAt = (gib: number) => planOf(MBR, gib * 1024);
  const advised = leastImageSize([lacking], planAt, 64 / 1024) ?? 0;
  const fitsAt = (gib: number): boolean => {
    const [fs] = planAt(gib).fileSystems;
    const room = fs && roomOf(fs);
    return room !== undefined && fitsIn(lacking, room);
  };
  assert.ok(fitsAt(advised), String(advised));
  assert.ok(!fitsAt(advised * 0.9), String(advised));
});

test('a partition of a fixed size does not grow with the disk', () => {
  const lacking = needAt(EFI, 1200, { mountPoint: '/boot/efi', blocks: 200_000, inodes: 10 });
  assert.ok(isLacking(lacking));
  assert.equal(
    leastImageSize([lacking], (gib) => planOf(EFI, gib * 1024), 1.2),
    undefined,
  );
  const mib = leastFileSystemMiB(lacking) ?? 0;
  assert.ok(mib > 781 && mib < 830, String(mib));
});

test('what is counted in small blocks has to fit in large ones', () => {
  const small = needAt(MBR, 300, { blocks: 1000, inodes: 100_000 });
  const large = needAt(MBR, 600, { blocks: 0, inodes: 0 });
  assert.equal(small.room.rules.blockBytes, 1024);
  // 100,000 files may waste 3 KiB more each.
  const room = { ...large.room, freeBlocks: 70_000, freeInodes: 200_000 };
  assert.ok(!fitsIn(small, room));
  assert.ok(fitsIn(small, { ...room, freeBlocks: 80_000 }));
});

test('rootHasRoom() looks at bytes and at inodes', () => {
  const plan = planOf(SEPARATE, 600);
  assert.ok(rootHasRoom(plan, { usedKiB: 1000, inodes: 100 }));
  assert.ok(!rootHasRoom(plan, { usedKiB: 600 * 1024, inodes: 100 }));
  assert.ok(!rootHasRoom(plan, { usedKiB: 1000, inodes: 1_000_000 }));
});

test('a volume that lies in pieces is on the host twice, one at a time', () => {
  const inPieces = (need: FileSystemNeed): FileSystemNeed => ({
    ...need,
    fs: { ...need.fs, pieces: [{ image: 'image0', offsetBytes: 0, sizeBytes: 1 }] },
  });
  const needOf = (blocks: number): FileSystemNeed => needAt(MBR, 64, { blocks, inodes: 12 });
  const needs = [needOf(7000), inPieces(needOf(3000)), inPieces(needOf(5000))];
  assert.equal(hostBytes(needs), 15_000 * 1024);
  assert.equal(passingBytes(needs), 5000 * 1024);
  assert.equal(passingBytes([needOf(7000)]), 0);
});
