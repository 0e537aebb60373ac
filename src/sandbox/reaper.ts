/**
 * Removes what a build leaves on the host, however it ends: work directories, and loop devices on
 * files in them.
 *
 * A shell in a session of its own reads paths from a pipe whose other end only we hold. It sees the
 * end of that pipe when we end, in whatever way, and then removes the paths that it was told. For an
 * ordinary user it is root of a user namespace of its own with the same ids as the build's: files of
 * the image's users can be removed from nowhere else.
 */
import { existsSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { Failed } from '../events/failure.ts';
import { type Privilege, privilegedArgv } from './namespace.ts';
import { type Exit, start, statusOf } from './process.ts';

/**
 * Reads one absolute path per line. After a kill, the processes that still write into a directory
 * are being killed by the kernel at that moment, hence the tries. `$f` is only ever compared and
 * removed, never evaluated.
 */
const REAPER_SCRIPT = `
trap '' HUP INT TERM
paths=
while IFS= read -r line; do
  paths="$paths$line
"
done
detach() {
  for backing in /sys/block/loop*/loop/backing_file; do
    [ -e "$backing" ] || continue
    read -r file < "$backing" || continue
    case $file in "$1"/*) d=\${backing#/sys/block/}; losetup -d "/dev/\${d%%/*}" ;; esac
  done
}
tries=0
while [ "$tries" -lt 100 ]; do
  left=$(printf '%s' "$paths" | while IFS= read -r path; do
    [ -e "$path" ] || continue
    detach "$path" >&2
    rm -rf --one-file-system -- "$path"
    if [ -e "$path" ]; then printf x; fi
  done)
  if [ -z "$left" ]; then exit 0; fi
  tries=$((tries + 1))
  sleep 0.1
done
exit 1
`;

export class Reaper implements AsyncDisposable {
  readonly #input: Writable;
  readonly #ended: Promise<Exit>;
  readonly #guarded: string[] = [];

  /** Starts the reaper; it costs one small shell. */
  constructor(host: {
    readonly env: Readonly<Record<string, string>>;
    readonly privilege: Privilege;
  }) {
    const running = start(
      {
        argv: privilegedArgv(['sh', '-c', REAPER_SCRIPT, 'dibkit-reaper'], host.privilege),
        env: host.env,
        stdin: 'pipe',
        output: 'nothing',
      },
      new AbortController().signal,
    );
    if (running.input === undefined) {
      throw new Error('Cannot make the pipe to the reaper');
    }
    this.#input = running.input;
    this.#input.on('error', () => {});
    this.#ended = running.exit;
  }

  /** Tells the reaper of a path, absolute and without a newline, before the path is made. */
  async guard(path: string): Promise<void> {
    this.#guarded.push(path);
    await new Promise<void>((resolve) => {
      this.#input.write(`${path}\n`, () => resolve());
    });
  }

  /** Has all paths removed that are still there. @throws Failed `tool` that names what stayed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#input.end();
    const status = statusOf(await this.#ended);
    const left = this.#guarded.filter((path) => existsSync(path));
    if (left.length > 0) {
      throw new Failed({
        kind: 'tool',
        message: `Cannot remove ${left.map((path) => `'${path}'`).join(', ')}`,
        argv: ['dibkit-reaper'],
        status,
        lastLines: [],
        hint: 'Look who still works in there, and remove it',
      });
    }
  }
}
