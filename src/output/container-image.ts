/** A container image that is to be written. */
import type { Compression } from '../plan/container-plan.ts';
import type { Platform } from '../plan/container-platform.ts';
import type { Reference } from '../plan/container-reference.ts';
import type { ContainerSettings } from '../plan/container-settings.ts';
import type { LayerMembers } from './layer-members.ts';

/** Everything about the image but its format. */
export interface ContainerImage {
  readonly name: Reference;
  readonly settings: ContainerSettings;
  readonly platform: Platform;
  /** Undefined: what suits the format. */
  readonly compression?: Compression;
  /** Seconds since 1970, when times are given: the image's, and the latest of its files. */
  readonly epoch?: number;
  /** Lowest first. */
  readonly layers: readonly LayerSource[];
  /** Members that stay out of every layer, as patterns of GNU tar. */
  readonly leaveOut: readonly string[];
}

export type ContainerFormat = 'oci' | 'docker';

/** Every registry takes gzip; `docker save` writes layers plain, and so every `docker load` reads them. */
export const SUITS: Readonly<Record<ContainerFormat, Compression>> = {
  oci: 'gzip',
  docker: 'none',
};

export interface LayerSource {
  /** The path of a whole tree, or what of the uppers of overlays one phase has added. */
  readonly from: string | LayerMembers;
  /** How it came about, for `docker history`. */
  readonly createdBy: string;
}
