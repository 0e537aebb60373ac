/**
 * The layers that a tree is made of, for who wants them one by one, such as container images.
 *
 * Each directory is an overlay's upper and can be read as it is: see `sandbox/overlay.ts` for how removed
 * files and hidden directories look. On top of the layers is the mounted tree's own upper, where the last
 * changes are that were not kept as a layer.
 */
export interface TreeLayers {
  /** Lowest first; each belongs to the layer store and must not be changed. */
  readonly layers: readonly TreeLayer[];
  /** What hooks changed on top of them, where not all of it was kept. Also an upper. */
  readonly top?: string;
}

export interface TreeLayer {
  /** Absolute: an upper. */
  readonly directory: string;
  /** Whose hooks made it; a phase may have several. */
  readonly phase: string;
}
