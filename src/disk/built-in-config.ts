/**
 * The configuration of builds that bring none: the whole disk is the root file system. As text, for hooks, and
 * as what `parseConfig` makes of it, so that such builds do without the YAML library: to load that takes longer
 * than all else that is found out about a disk. Source: dib-contract, "Config choice". Pure.
 */
import type { Place } from '../events/failure.ts';
import type { ConfigNode } from './config.ts';

const SOURCE = 'built-in block-device config';

function at(line: number, column: number): Place {
  return { file: SOURCE, line, column };
}

const NODES: readonly ConfigNode[] = [
  {
    kind: 'fstab',
    name: 'fstab_mount_mkfs_root',
    at: at(7, 9),
    base: 'mount_mkfs_root',
    options: 'defaults',
    dumpFreq: 0,
    fsckPassno: 1,
  },
  { kind: 'mount', name: 'mount_mkfs_root', at: at(5, 7), base: 'mkfs_root', mountPoint: '/' },
  { kind: 'mkfs', name: 'mkfs_root', at: at(3, 5), base: 'image0' },
  { kind: 'local_loop', name: 'image0', at: at(1, 3) },
];

export const BUILT_IN: {
  /** For messages. */
  readonly source: string;
  readonly text: string;
  readonly nodes: readonly ConfigNode[];
} = {
  source: SOURCE,
  text: `- local_loop:
    name: image0
    mkfs:
      name: mkfs_root
      mount:
        mount_point: /
        fstab:
          options: defaults
          fsck-passno: 1
`,
  nodes: NODES,
};
