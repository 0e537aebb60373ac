/**
 * What LVM reads of a disk: the labels of physical volumes and the description of their group.
 *
 *     sector 1     label: who this is, how large, where data and metadata lie
 *     4 KiB        header of the metadata area: where in it the text is
 *     4.5 KiB      the text, the same on every physical volume of the group
 *     1 MiB        the first extent
 *
 * Sectors have 512 bytes here, whatever those of the disk have. Source: lvm2 2.03, lib/label/label.h,
 * lib/format_text/layout.h and export.c; read back with `pvck --dump` and `vgs`.
 */
import { crc32 } from 'node:zlib';
import type { ByteWrite } from './boot-code.ts';
import {
  DATA_OFFSET_BYTES,
  type LogicalVolumeLayout,
  type PhysicalVolumeLayout,
  type VolumeGroupLayout,
  type VolumeSegment,
} from './place-volumes.ts';

const SECTOR_BYTES = 512;
const LABEL_OFFSET_BYTES = SECTOR_BYTES;
const AREA_OFFSET_BYTES = 4096;
const AREA_BYTES = DATA_OFFSET_BYTES - AREA_OFFSET_BYTES;
/** In the label's sector: the header of the physical volume. */
const HEADER_OFFSET = 32;
/** In the area: its header is one sector. */
const TEXT_OFFSET_BYTES = SECTOR_BYTES;
const AREA_MAGIC = ' LVM2 x[5A%r0N*>';

export interface VolumeWrite extends ByteWrite {
  readonly image: string;
}

/** All that is to be written for a group; `time` in seconds is when its volumes were made. */
export function lvmWrites(group: VolumeGroupLayout, time: number): VolumeWrite[] {
  const text = Buffer.from(`${groupText(group, time)}\0`);
  return group.physicalVolumes.flatMap((volume) => {
    const { image, offsetBytes } = volume;
    return [
      { image, offsetBytes: offsetBytes + LABEL_OFFSET_BYTES, bytes: label(volume) },
      {
        image,
        offsetBytes: offsetBytes + AREA_OFFSET_BYTES,
        bytes: Buffer.concat([areaHeader(text), text]),
      },
    ];
  });
}

/** LVM's sum is the usual CRC-32 without its last inversion, from a start of its own. */
function sum(bytes: Uint8Array): number {
  const START = 0xf597a6cf;
  return ~crc32(bytes, ~START >>> 0) >>> 0;
}

function label({ uuid, sizeBytes }: PhysicalVolumeLayout): Buffer {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.write('LABELONE', 0, 'latin1');
  sector.writeBigUInt64LE(1n, 8);
  sector.writeUInt32LE(HEADER_OFFSET, 20);
  sector.write('LVM2 001', 24, 'latin1');
  sector.write(uuid.replaceAll('-', ''), HEADER_OFFSET, 'latin1');
  const numbers = [
    sizeBytes,
    // The data: to the end, which is written as 0. Each list ends with an empty entry.
    ...[DATA_OFFSET_BYTES, 0, 0, 0],
    ...[AREA_OFFSET_BYTES, AREA_BYTES, 0, 0],
  ];
  let at = HEADER_OFFSET + 32;
  for (const number of numbers) {
    at = sector.writeBigUInt64LE(BigInt(number), at);
  }
  // The extension: its version, and that the volume is in use.
  at = sector.writeUInt32LE(2, at);
  sector.writeUInt32LE(1, at);
  sector.writeUInt32LE(sum(sector.subarray(20)), 16);
  return sector;
}

function areaHeader(text: Buffer): Buffer {
  const header = Buffer.alloc(SECTOR_BYTES);
  header.write(AREA_MAGIC, 4, 'latin1');
  header.writeUInt32LE(1, 20);
  let at = 24;
  for (const number of [AREA_OFFSET_BYTES, AREA_BYTES, TEXT_OFFSET_BYTES, text.length]) {
    at = header.writeBigUInt64LE(BigInt(number), at);
  }
  header.writeUInt32LE(sum(text), at);
  header.writeUInt32LE(sum(header.subarray(4)), 0);
  return header;
}

/** In the words and with the line breaks of lvm2: GRUB looks for these. */
function groupText(group: VolumeGroupLayout, time: number): string {
  const physical = group.physicalVolumes.map((one, index) => physicalText(one, index));
  const logical = group.logicalVolumes.map((one) => logicalText(one, time));
  return `${[
    `${group.name} {`,
    `id = "${lvmUuid(group.uuid)}"`,
    'seqno = 1',
    'format = "lvm2"',
    'status = ["RESIZEABLE", "READ", "WRITE"]',
    'flags = []',
    ...tagLines(group.tags),
    `extent_size = ${group.extentBytes / SECTOR_BYTES}`,
    'max_lv = 0',
    'max_pv = 0',
    'metadata_copies = 0',
    ...['', 'physical_volumes {', ...physical.flat(), '}'],
    ...(logical.length === 0 ? [] : ['', 'logical_volumes {', ...logical.flat(), '}']),
    ...['', '}'],
    'contents = "Text Format Volume Group"',
    'version = 1',
    ...['', 'description = ""', ''],
    'creation_host = "dibkit"',
    `creation_time = ${time}`,
  ].join('\n')}\n`;
}

function physicalText(volume: PhysicalVolumeLayout, index: number): string[] {
  return [
    ...['', `pv${index} {`],
    `id = "${lvmUuid(volume.uuid)}"`,
    // Only a hint, and where the disk will show up nobody knows.
    'device = "[unknown]"',
    '',
    'status = ["ALLOCATABLE"]',
    'flags = []',
    `dev_size = ${Math.floor(volume.sizeBytes / SECTOR_BYTES)}`,
    `pe_start = ${DATA_OFFSET_BYTES / SECTOR_BYTES}`,
    `pe_count = ${volume.extents}`,
    '}',
  ];
}

function logicalText(volume: LogicalVolumeLayout, time: number): string[] {
  let start = 0;
  const segments = volume.segments.flatMap((segment, index) => {
    const lines = segmentText(segment, { index, start });
    start += segment.extents;
    return lines;
  });
  return [
    ...['', `${volume.name} {`],
    `id = "${lvmUuid(volume.uuid)}"`,
    'status = ["READ", "WRITE", "VISIBLE"]',
    'flags = []',
    ...tagLines(volume.tags),
    `creation_time = ${time}`,
    'creation_host = "dibkit"',
    `segment_count = ${volume.segments.length}`,
    ...segments,
    '}',
  ];
}

function segmentText(
  segment: VolumeSegment,
  { index, start }: { readonly index: number; readonly start: number },
): string[] {
  return [
    ...['', `segment${index + 1} {`],
    `start_extent = ${start}`,
    `extent_count = ${segment.extents}`,
    ...['', 'type = "striped"', 'stripe_count = 1', '', 'stripes = ['],
    `"pv${segment.physicalVolume}", ${segment.firstExtent}`,
    ...[']', '}'],
  ];
}

function tagLines(tags: readonly string[]): string[] {
  return tags.length === 0 ? [] : [`tags = [${tags.map((tag) => `"${tag}"`).join(', ')}]`];
}

/** The same digits in LVM's groups. */
function lvmUuid(uuid: string): string {
  const digits = uuid.replaceAll('-', '');
  return digits.replace(/^(.{6})(.{4})(.{4})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-$5-$6-');
}
