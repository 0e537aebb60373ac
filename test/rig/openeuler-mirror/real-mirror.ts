/** The mirror that the tests of openEuler use: the stand-in, or for who has a line to it, a real one. */
import { openMirror } from './mirror.ts';

/** Names the real one, for example https://repo.openeuler.org. */
export const REAL_MIRROR = 'DIBKIT_TEST_OPENEULER_MIRROR';

/** Says that a mirror has a release. */
const PROBE = 'OS/x86_64/repodata/repomd.xml';
const PATIENCE_MS = 20_000;

export type ChosenMirror =
  /** `close` ends what was started for it. */
  | { readonly url: string; readonly real: boolean; close(): Promise<void> }
  /** Why the tests cannot run: the mirror that was asked for does not answer. */
  | { readonly skip: string };

/** The mirror that `asked`, the variable's value, names; without one the stand-in. */
export async function chooseMirror(
  asked: string | undefined,
  releases: readonly string[],
): Promise<ChosenMirror> {
  if (asked === undefined || asked === '') {
    const { url, close } = await openMirror();
    return { url, real: false, close };
  }
  const url = asked.replace(/\/+$/, '');
  for (const release of releases) {
    const skip = await whyNot(`${url}/openEuler-${release}/${PROBE}`);
    if (skip !== undefined) {
      return { skip };
    }
  }
  return { url, real: true, close: async () => {} };
}

async function whyNot(file: string): Promise<string | undefined> {
  try {
    const options = { method: 'HEAD', signal: AbortSignal.timeout(PATIENCE_MS) };
    const { status } = await fetch(file, options);
    return status === 200 ? undefined : `${file} answers ${status}`;
  } catch (error) {
    return `${file} cannot be reached: ${(error as Error).message}`;
  }
}
