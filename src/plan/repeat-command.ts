/** The command line that repeats a build, as a person can paste it. Pure. */
import { quoteForPaste } from '../events/failure-text.ts';

/** Variables that change what is built, beside `DIB_*`. Source: dib contract, 2.2. */
const MEANT = new Set([
  'ELEMENTS_PATH',
  'FS_TYPE',
  'IMAGE_TYPE',
  'OVERWRITE_OLD_IMAGE',
  'RAMDISK_ELEMENT',
  'TMPDIR',
]);

/** Values that do not belong on a screen: the shell that repeats it has them. */
const SECRET = /PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL/i;

/** Variables and the command, its name first, quoted for a shell. */
export function repeatCommand(
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): string {
  const variables = Object.keys(environment)
    .filter((name) => MEANT.has(name) || /^DIB_\w+$/.test(name))
    .sort()
    .map((name) =>
      SECRET.test(name)
        ? `${name}="$${name}"`
        : `${name}=${quoteForPaste(environment[name] ?? '')}`,
    );
  return [...variables, ...argv.map(quoteForPaste)].join(' ');
}
