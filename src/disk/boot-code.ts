/**
 * GRUB's BIOS boot code on a disk that is a plain file.
 *
 *     sector 0    boot.img, first 440 bytes; the disk id and the partition table stay
 *     MBR         core.img from sector 1 on, before the first partition
 *     GPT         core.img in the BIOS boot partition
 *
 * boot.img knows in which sector core.img starts, and core.img's first sector where the rest of it
 * is. Source: GRUB 2.06, include/grub/i386/pc/boot.h and grub-core/boot/i386/pc/diskboot.S.
 */
import { configError, type Failed } from '../events/failure.ts';
import type { ImageLayout } from './layout.ts';
import { BIOS_BOOT_TYPE } from './table-labels.ts';

export interface BootImages {
  /** Content of `boot.img`: one sector. */
  readonly bootImg: Uint8Array;
  /** Content of `core.img`, as `grub-mkimage -O i386-pc` made it. */
  readonly coreImg: Uint8Array;
}

export interface ByteWrite {
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
}

/** The directories of a tree that may hold the two images. */
export const BOOT_DIRECTORIES: readonly string[] = ['boot/grub/i386-pc', 'boot/grub2/i386-pc'];

const SECTOR_BYTES = 512;
export const BOOT_CODE_BYTES = 440;
/** Where boot.img keeps the sector of core.img. */
const KERNEL_SECTOR_OFFSET = 0x5c;
/** A jump that skips the workaround for BIOSes that pass a wrong drive number. */
const DRIVE_CHECK_OFFSET = 0x66;
const NOP = 0x90;
/** The first entry of the block list in core.img's first sector: its start sector. */
const BLOCK_LIST_OFFSET = SECTOR_BYTES - 12;

/**
 * What to write where, or nothing when the disk has no place for BIOS boot code: no partition
 * table, GPT without a BIOS boot partition, sectors that BIOS cannot read.
 *
 * @throws Failed `config` when core.img does not fit in its place.
 */
export function bootCodeWrites(image: ImageLayout, images: BootImages): ByteWrite[] {
  const room = coreRoom(image);
  if (room === undefined) {
    return [];
  }
  if (images.bootImg.length !== SECTOR_BYTES || images.coreImg.length <= SECTOR_BYTES) {
    throw configError('GRUB boot.img or core.img in the tree is damaged: unexpected size', {
      hint: 'Make them again with grub-mkimage -O i386-pc',
    });
  }
  if (images.coreImg.length > room.sectors * SECTOR_BYTES) {
    throw tooLarge(image, images.coreImg.length, room);
  }
  const boot = Buffer.from(images.bootImg.subarray(0, BOOT_CODE_BYTES));
  boot.writeBigUInt64LE(BigInt(room.startSector), KERNEL_SECTOR_OFFSET);
  boot.fill(NOP, DRIVE_CHECK_OFFSET, DRIVE_CHECK_OFFSET + 2);
  const core = Buffer.from(images.coreImg);
  core.writeBigUInt64LE(BigInt(room.startSector + 1), BLOCK_LIST_OFFSET);
  return [
    { offsetBytes: 0, bytes: boot },
    { offsetBytes: room.startSector * SECTOR_BYTES, bytes: core },
  ];
}

interface Room {
  readonly startSector: number;
  readonly sectors: number;
}

/** Where core.img goes. */
function coreRoom({ label, sectorBytes, partitions }: ImageLayout): Room | undefined {
  if (sectorBytes !== SECTOR_BYTES) {
    return undefined;
  }
  switch (label) {
    case 'none':
      return undefined;
    case 'mbr': {
      const firstSector = Math.min(...partitions.map(({ startSector }) => startSector));
      return { startSector: 1, sectors: firstSector - 1 };
    }
    case 'gpt':
      return partitions.find(({ type }) => type === BIOS_BOOT_TYPE);
  }
}

function tooLarge(image: ImageLayout, coreBytes: number, room: Room): Failed {
  const hint =
    image.label === 'gpt'
      ? 'Make the BIOS boot partition larger, 1 MiB is plenty'
      : 'Set "align: 1MiB" or more for the partition table';
  return configError(
    `GRUB core.img has ${coreBytes} bytes, but disk "${image.name}" has room for ${room.sectors * SECTOR_BYTES}`,
    { hint },
  );
}
