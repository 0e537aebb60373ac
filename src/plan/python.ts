/** Which Python the helpers of other people's elements need. */

/** Where a package with elements lies in an installation of Python; the rest says whose. */
const PACKAGED = /^(.*)\/lib\/python3[^/]*\/(dist|site)-packages\/diskimage_builder\/elements\/?$/;

/**
 * The interpreter that can import what elements on this path import: that of the installation which
 * they are a part of. `python3` when they are part of none.
 */
export function pythonFor(elementsPath: readonly string[]): string {
  for (const entry of elementsPath) {
    const [, prefix, kind] = PACKAGED.exec(entry) ?? [];
    if (prefix !== undefined) {
      // Only Debian's own interpreter looks into dist-packages, those in /usr/local included.
      return kind === 'dist' ? '/usr/bin/python3' : `${prefix}/bin/python3`;
    }
  }
  return 'python3';
}
