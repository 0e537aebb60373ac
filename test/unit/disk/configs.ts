/** Configurations of the known elements, written for the tests. Source: dib-contract, "Default configs". */
import { type DiskGraph, parseDiskGraph } from '../../../src/disk/graph.ts';
import { type DiskPlan, planDisk } from '../../../src/disk/layout.ts';
import { Failed, type Failure } from '../../../src/events/failure.ts';
import { identifiersFrom } from '../../../src/plan/identifiers.ts';

const ROOT = `
          mount:
            mount_point: /
            fstab:
              options: defaults
              fsck-passno: 1`;

export const MBR = `
- local_loop:
    name: image0
- partitioning:
    base: image0
    label: mbr
    partitions:
      - name: root
        flags: [boot, primary]
        size: 100%
        mkfs:${ROOT}
`;

export const GPT = `
- local_loop:
    name: image0
- partitioning:
    base: image0
    label: gpt
    partitions:
      - name: BSP
        type: 'EF02'
        size: 8MiB
      - name: root
        type: '8300'
        size: 100%
        mkfs:
          type: ext4${ROOT}
`;

/** With another sector size and another size of the ESP it is `block-device-efi-4k`'s. */
export const EFI = `
- local_loop:
    name: image0
- partitioning:
    base: image0
    label: gpt
    partitions:
      - name: ESP
        type: 'EF00'
        size: 550MiB
        mkfs:
          type: vfat
          mount:
            mount_point: /boot/efi
            fstab:
              options: defaults
              fsck-passno: 2
      - name: BSP
        type: 'EF02'
        size: 8MiB
      - name: root
        type: '8300'
        size: 100%
        mkfs:
          type: ext4${ROOT}
`;

export const LVM = `
- local_loop:
    name: image0
- partitioning:
    base: image0
    label: gpt
    partitions:
      - {name: BSP, type: EF02, size: 8MiB}
      - {name: root, type: 8300, size: 100%}
- lvm:
    name: lvm
    base: [root]
    pvs: [{name: pv, base: root, options: ["--force"]}]
    vgs: [{name: vg, base: ["pv"], options: ["--force"]}]
    lvs:
      - {name: lv_root, base: vg, extents: 23%VG}
      - {name: lv_var, base: vg, extents: 57%VG}
- mkfs: {name: fs_root, base: lv_root, type: ext4, label: img-rootfs, mount: {mount_point: /}}
- mkfs: {name: fs_var, base: lv_var, type: ext4, mount: {mount_point: /var}}
`;

/** A group over a partition and a whole disk, with a volume that fits on neither. */
export const LVM_TWO_DISKS = `
- local_loop: {name: image0, size: 64MiB}
- local_loop: {name: data, size: 40MiB}
- partitioning:
    base: image0
    label: mbr
    partitions: [{name: left, flags: [primary], size: 100%}]
- lvm:
    name: lvm
    pvs: [{name: pv0, base: left}, {name: pv1, base: data}]
    vgs: [{name: vg-0, base: [pv0, pv1], options: [--physicalextentsize, 1m, --addtag=built]}]
    lvs:
      - {name: first, base: vg-0, size: 33MiB}
      - {name: both, base: vg-0, extents: 90%FREE, options: ["-Wy", "-Zn", --addtag here]}
- mkfs: {name: fs_first, base: first, type: ext4, mount: {mount_point: /}}
- mkfs: {name: fs/both, base: both, type: ext4, mount: {mount_point: /var}}
`;

/** A disk that is one file system. */
export const WHOLE = `
- local_loop:
    name: image0
    mkfs:
      name: mkfs_root
      mount:
        mount_point: /
        fstab: {fsck-passno: 1}
`;

/** /boot of its own, swap and a logical partition, half in graph notation. */
export const SEPARATE = `
- local_loop: {name: image0}
- partitioning:
    base: image0
    label: mbr
    partitions:
      - name: boot
        flags: [boot, primary]
        size: 24MiB
        type: 0x83
        mkfs: {type: ext4, label: BOOT, mount: {mount_point: /boot, fstab: {}}}
      - {name: swap, flags: [primary], size: 4MiB, type: '82'}
      - {name: root, size: 60%, mkfs: {mount: {mount_point: /, fstab: {fsck-passno: 1}}}}
      - {name: home, size: 100%}
- mkfs: {base: swap, name: swap0, type: swap, mount: {mount_point: swap, fstab: {}}}
- mkfs: {base: home, name: homes, type: ext2}
- mount: {base: homes, name: mount_home, mount_point: /home}
- fstab: {base: mount_home, options: "rw,nodev"}
`;

export function graphOf(text: string): DiskGraph {
  return parseDiskGraph(text, 'disk.yaml', { rootFsType: 'ext4' }).graph;
}

export function planOf(text: string, sizeMiB = 2048, sectorBytes?: number): DiskPlan {
  return planDisk(graphOf(text), {
    imageSizeKiB: sizeMiB * 1024,
    rootMkfsOptions: ['-i', '4096', '-J', 'size=64'],
    identifiers: identifiersFrom('test'),
    ...(sectorBytes === undefined ? {} : { sectorBytes }),
  });
}

/** The failure that `act` throws; an error of the test when it throws none. */
export function failureFrom(act: () => unknown): Failure {
  try {
    act();
  } catch (error) {
    if (error instanceof Failed) {
      return error.failure;
    }
    throw error;
  }
  throw new Error('nothing was thrown');
}
