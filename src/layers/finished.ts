/**
 * The layers that a tree is made of, for who wants them one by one, such as container images.
 *
 * Each directory is an overlay's upper and can be read as it is: see `sandbox/overlay.ts` for how removed
 * files and hidden directories look. On top of the layers is the mounted tree's own upper, where the last
 * changes are that were not kept as a layer.
 */
export interface TreeLayers {
  /** Absolute, lowest first; each belongs to the layer store and must not be changed. */
  readonly directories: readonly string[];
  /** What was changed on top of them, when something was. Also an upper. */
  readonly top?: string;
  /** Where `opaque` and whiteout attributes are: `trusted.overlay.` or, without root, `user.overlay.`. */
  readonly attributes: 'trusted' | 'user';
}
