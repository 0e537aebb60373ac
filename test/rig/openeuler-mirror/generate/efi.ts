/** GRUB as programs of EFI. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { RpmFile } from './spec.ts';
import type { Workshop } from './workshop.ts';

const GRUB_MODULES = [
  ...['all_video', 'boot', 'cat', 'chain', 'configfile', 'echo', 'ext2', 'fat', 'gzio', 'halt'],
  ...['linux', 'ls', 'lvm', 'minicmd', 'normal', 'part_gpt', 'part_msdos', 'reboot', 'regexp'],
  ...['search', 'search_fs_file', 'search_fs_uuid', 'search_label', 'serial', 'sleep', 'terminal'],
  ...['test', 'xfs', 'efi_gop', 'loadenv', 'true', 'probe'],
];

/** Starts the distribution's GRUB. What reads this knows neither `if` nor `else`. */
const SHIM_SCRIPT = `
search --no-floppy --file --set=root /EFI/openEuler/grubx64.efi
chainloader /EFI/openEuler/grubx64.efi
boot
`;

/** The files of RPMs with programs of EFI, by the RPM's name. */
export async function makeEfiFiles(
  workshop: Workshop,
  tree: string,
): Promise<ReadonlyMap<string, readonly RpmFile[]>> {
  const modules = path.join(tree, 'usr/lib/grub/x86_64-efi');
  const vendor = '/boot/efi/EFI/openEuler';
  const removable = '/boot/efi/EFI/BOOT';
  for (const dir of [vendor, removable]) {
    await mkdir(path.join(tree, dir), { recursive: true });
  }
  const script = path.join(workshop.dir, 'shim.cfg');
  await writeFile(script, SHIM_SCRIPT);
  const grub = path.join(tree, vendor, 'grubx64.efi');
  const shim = path.join(tree, vendor, 'shimx64.efi');
  const image = ['--format', 'x86_64-efi', '--directory', modules, '--prefix', '/EFI/openEuler'];
  await workshop.run`grub-mkimage ${image} --output ${grub} ${GRUB_MODULES}`;
  await workshop.run`grub-mkimage ${image} --config ${script} --output ${shim} ${GRUB_MODULES}`;
  await workshop.run`cp ${shim} ${path.join(tree, removable, 'BOOTX64.EFI')}`;
  const files = (names: readonly string[]): RpmFile[] =>
    names.map((name) => ({ path: name, kind: 'file', attr: '0700, root, root' }));
  return new Map([
    ['grub2-efi-x64', files([`${vendor}/grubx64.efi`])],
    ['shim', files([`${vendor}/shimx64.efi`, `${removable}/BOOTX64.EFI`])],
  ]);
}
