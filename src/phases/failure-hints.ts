/** What to do next when a hook failed for a reason that its last lines tell. */
import type { HookFailure } from '../events/failure.ts';

const HINTS: readonly { readonly says: RegExp; readonly hint: string }[] = [
  {
    // A package manager says it in the middle of much else, and it is not the hook's fault.
    says: /No space left on device/,
    hint: 'The layer store or the work directory is full: dibkit cache prune, or point --image-cache and TMPDIR (with --no-tmpfs) at a larger file system',
  },
  {
    // Of directories below the upper. Source: Documentation/filesystems/overlayfs.rst, "renaming directories".
    says: /Invalid cross-device link|\bEXDEV\b/,
    hint: 'In a tree of layers the kernel renames no directory that an earlier layer has: let the hook use mv, which copies it then, or build with --no-cache',
  },
  {
    says: /No module named '?diskimage_builder/,
    hint: "This element's helpers are a part of diskimage-builder: install that (python3-diskimage-builder in Debian), or set DIB_PYTHON_EXEC to a Python that has it",
  },
];

export function withHint(failure: HookFailure): HookFailure {
  const found = HINTS.find(({ says }) => failure.lastLines.some((line) => says.test(line)));
  return found === undefined ? failure : { ...failure, hint: found.hint };
}
