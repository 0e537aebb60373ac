/** What the writer of a format is given, and the three ways in which one works. */
import type { Context } from '../events/event.ts';
import type { ImagePlan } from '../plan/build-plan.ts';
import type { Identifiers } from '../plan/identifiers.ts';
import type { ContainerImage } from './container-image.ts';

export interface Source {
  readonly image: ImagePlan;
  /** The finished tree, with nothing mounted in it. */
  readonly tree: string;
  /** Absent when no image of a container is wanted. */
  readonly container?: ContainerImage;
  /** The finished raw disk; absent when no disk format is wanted. */
  readonly rawDisk?: string;
  /** A directory of ours on the file system of the images. */
  readonly staging: string;
  /** Seconds since 1970: no time stamp in an image is later. */
  readonly sourceDate: number;
  readonly identifiers: Identifiers;
}

export type Argv = readonly [string, ...string[]];

export interface Program {
  readonly argv: Argv;
  /** Added to the environment of our tools. */
  readonly env: Readonly<Record<string, string>>;
}

export type Writer =
  /**
   * A stream that is read once for all formats made of it: the archive of the tree, or the raw disk.
   * `through` is a program that turns it into the format; without one the stream is the format.
   */
  | {
      readonly kind: 'stream';
      readonly of: StreamSource;
      readonly through?: (image: ImagePlan) => Argv;
      /** Changes the first bytes that the program writes, in place. */
      readonly head?: (bytes: Buffer) => void;
      /** Instead of `through`: a program that makes the file by itself. */
      readonly into?: (source: Source, file: string) => Promise<Program>;
      /** For the failure of `through`. */
      readonly hint?: string;
    }
  /** The writer makes `file` by itself. */
  | {
      readonly kind: 'file';
      readonly write: (source: Source, file: string, context: Context) => Promise<void>;
    }
  /** The raw disk itself is the image: it has been written. */
  | { readonly kind: 'disk' };

export type StreamSource = 'archive' | 'disk';
