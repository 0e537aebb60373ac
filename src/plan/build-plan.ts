/**
 * What a build is, as one frozen value. Everything after the command line works from it: nothing
 * downstream reads argv or the process environment.
 */
import type { ContainerPlan } from './container-plan.ts';

export interface BuildPlan {
  /** `BuildPlan`s go from one process to another as JSON; both must be of one version. */
  readonly version: string;
  /** Element names in the order asked for, implicit ones (`base`, `block-device-*`) included. */
  readonly elements: readonly string[];
  /** What the user typed. */
  readonly requested: readonly string[];
  /** Directories that hold elements; earlier ones win. The built-in one is last. */
  readonly elementsPath: readonly string[];
  /** The implicit element: its hooks are part of every build. */
  readonly implicitElement: string;
  /** Debian's name of the architecture, for example `amd64`. */
  readonly arch: string;
  readonly image: ImagePlan;
  /** Present: the product is a kernel with its initramfs, and no disk is made. */
  readonly ramdisk?: RamdiskPlan;
  readonly container: ContainerPlan;
  readonly disk: DiskRequest;
  readonly work: WorkPlan;
  /** `-p`: installed in the target at the end of the install phase. */
  readonly packages: readonly string[];
  readonly breaks: BreakPlan;
  readonly cache: CachePlan;
  readonly show: ShowPlan;
  readonly identity: IdentityPlan;
  /** The command line that repeats the build, for a shell; without break points. */
  readonly repeat: string;
  /** The environment of hooks before the engine adds its own variables: the user's, and the contract's. */
  readonly environment: Readonly<Record<string, string>>;
}

export type ChecksumName = 'md5' | 'sha256';

export interface ImagePlan {
  /** Path without a type's suffix; relative to `cwd`. */
  readonly name: string;
  readonly cwd: string;
  /** In the order asked for, without duplicates. */
  readonly types: readonly string[];
  readonly checksums: readonly ChecksumName[];
  /** qcow2 only. */
  readonly compress: boolean;
  /** For `qemu-img convert -o`. */
  readonly qemuImgOptions?: string;
  /** Replace an existing image instead of renaming it aside. */
  readonly overwrite: boolean;
  /** The program for `tgz`, called as `PROGRAM -9`. */
  readonly gzip: string;
  /** `ACI_MANIFEST`: a file; relative to `cwd`. */
  readonly aciManifest?: string;
}

export interface RamdiskPlan {
  /** The elements that make the initramfs; they come before all others. */
  readonly elements: readonly string[];
  /** Formats that were asked for and are not made, because they hold a disk (compat). */
  readonly unmadeTypes: readonly string[];
}

/** What the time stamps and identifiers in an image are taken from. */
export interface IdentityPlan {
  /** `SOURCE_DATE_EPOCH`, seconds; absent: the newest input decides. */
  readonly sourceDate?: number;
  /** `DIB_IMAGE_SEED`: changes all identifiers; `random` makes other ones in every build. */
  readonly seed: string;
}

export interface DiskRequest {
  /** A block-device configuration that replaces the elements': YAML text or `file://PATH`. */
  readonly config?: string;
  /** GiB. */
  readonly imageSize?: number;
  /** MiB, added to the size of the tree instead of the usual headroom. */
  readonly extraSize?: number;
  /** MiB. */
  readonly journalSize: number;
  /** Bytes per sector of every disk; wins over the configuration. */
  readonly blockSize?: number;
  readonly maxOnlineResize?: number;
  readonly mkfsOptions: string;
  readonly rootLabel?: string;
  readonly rootFsType: string;
}

export interface WorkPlan {
  /** Where the work directories are made. */
  readonly tmpDir: string;
  /** Never use a tmpfs. */
  readonly noTmpfs: boolean;
  /** GiB; a tmpfs is used when the host has twice that. */
  readonly minTmpfs: number;
  readonly imageCache: string;
  readonly lockFiles: string;
}

/** What of earlier builds is used. */
export interface CachePlan {
  /** Layers are neither read nor kept. */
  readonly off: boolean;
  /** The first phase that runs anew, whatever there is. */
  readonly from?: string;
  /** Go on from what the last build of this image, which failed, has got to. */
  readonly resume: boolean;
  /** Say what would be reused, and why the rest would not; build nothing. */
  readonly explain: boolean;
  /** How long a layer may be used that took undeclared things from the network. */
  readonly maxAgeHours: number;
  /** GiB; above it the layers are removed that nobody has used for the longest time. */
  readonly sizeGiB: number;
}

export interface BreakPlan {
  /** `before-X`, `after-X`, `after-error`. */
  readonly points: readonly string[];
  readonly command?: string;
  readonly outsideTarget: boolean;
}

export interface ShowPlan {
  readonly logFile?: string;
  readonly quiet: boolean;
  readonly timestamps: boolean;
  readonly imageUsage: 'none' | 'large' | 'full';
  /** `DIB_DEBUG_TRACE`. */
  readonly trace: number;
}
