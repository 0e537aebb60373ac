/**
 * The documents of a container image, as data. Pure.
 *
 * Sources: OCI image-spec v1.1 (config.md, manifest.md, image-index.md, image-layout.md); moby
 * image/spec/v1.2.md for `manifest.json`.
 */
import type { Compression } from '../plan/container-plan.ts';
import type { Platform } from '../plan/container-platform.ts';
import { fullReference, type Reference, renderReference } from '../plan/container-reference.ts';
import type { ContainerSettings } from '../plan/container-settings.ts';

/** A member that is named after its content. */
export interface Blob {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  readonly sizeBytes: number;
}

/** The member with that digest. Source: OCI image-layout.md, "Blobs". */
export function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

export interface WrittenLayer {
  readonly blob: Blob;
  /** The digest of the layer before compression. */
  readonly diffId: string;
  /** How the layer came about, for `docker history`. */
  readonly createdBy: string;
}

export interface ImageFacts {
  readonly settings: ContainerSettings;
  readonly platform: Platform;
  readonly created: Date;
  /** Lowest first. */
  readonly layers: readonly WrittenLayer[];
}

const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const LAYER_TYPES: Readonly<Record<Compression, string>> = {
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
};

/** The image's configuration, the same for both formats. */
export function imageConfig({ settings, platform, created, layers }: ImageFacts): string {
  const when = timestamp(created);
  const { os, architecture, variant } = platform;
  return JSON.stringify({
    created: when,
    ...(settings.author === undefined ? {} : { author: settings.author }),
    architecture,
    ...(variant === undefined ? {} : { variant }),
    os,
    config: runtimeConfig(settings),
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ createdBy }) => ({ created: when, created_by: createdBy })),
  });
}

function runtimeConfig(settings: ContainerSettings): Readonly<Record<string, unknown>> {
  const { env, labels, ports, volumes } = settings;
  const rows: readonly (readonly [string, unknown])[] = [
    ['User', settings.user],
    ['ExposedPorts', asSet(ports)],
    ['Env', env && Object.entries(env).map(([name, value]) => `${name}=${value}`)],
    ['Entrypoint', settings.entrypoint],
    ['Cmd', settings.cmd],
    ['Volumes', asSet(volumes)],
    ['WorkingDir', settings.workdir],
    ['Labels', labels],
    ['StopSignal', settings['stop-signal']],
  ];
  return Object.fromEntries(rows.filter(([, value]) => value !== undefined));
}

/** A set in Go is a map to nothing. */
function asSet(items: readonly string[] | undefined): Readonly<Record<string, object>> | undefined {
  return items && Object.fromEntries(items.map((item) => [item, {}]));
}

/** RFC 3339, whole seconds. */
function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

export function imageManifest(
  config: Blob,
  layers: readonly WrittenLayer[],
  compression: Compression,
): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: descriptor(CONFIG_TYPE, config),
    layers: layers.map(({ blob }) => descriptor(LAYER_TYPES[compression], blob)),
  });
}

/** `index.json`: the one image, under its tag (OCI) and its whole name (containerd). */
export function imageIndex(manifest: Blob, platform: Platform, name: Reference): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: INDEX_TYPE,
    manifests: [
      {
        ...descriptor(MANIFEST_TYPE, manifest),
        platform,
        annotations: {
          'io.containerd.image.name': fullReference(name),
          'org.opencontainers.image.ref.name': name.tag,
        },
      },
    ],
  });
}

function descriptor(mediaType: string, { digest, sizeBytes }: Blob): object {
  return { mediaType, digest, size: sizeBytes };
}

/** `oci-layout`. */
export const LAYOUT_VERSION: string = JSON.stringify({ imageLayoutVersion: '1.0.0' });

/** `manifest.json` of a docker-save archive. */
export function dockerManifest(
  config: Blob,
  layers: readonly WrittenLayer[],
  name: Reference,
): string {
  return JSON.stringify([
    {
      Config: blobName(config.digest),
      RepoTags: [renderReference(name)],
      Layers: layers.map(({ blob }) => blobName(blob.digest)),
    },
  ]);
}
