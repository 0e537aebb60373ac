/**
 * Removes what a namespace cannot undo when we are killed: directories, and loop devices on files
 * in them.
 *
 * A shell in a session of its own reads paths from a pipe whose other end only we hold. It sees the
 * end of that pipe when we end, in whatever way, and then removes the paths that it was told.
 */
import type { Writable } from 'node:stream';
import { start } from './process.ts';

/**
 * Reads one absolute path per line; `.` means that all is in order. The processes that still write
 * into a directory are being killed by the kernel at that moment, hence the tries. `$f` is only ever
 * compared and removed, never evaluated.
 */
const REAPER_SCRIPT = `
trap '' HUP INT TERM
paths=
while IFS= read -r line; do
  if [ "$line" = . ]; then exit 0; fi
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
    detach "$path" >&2
    rm -rf --one-file-system -- "$path"
    if [ -e "$path" ]; then printf x; fi
  done)
  if [ -z "$left" ]; then exit 0; fi
  tries=$((tries + 1))
  sleep 0.1
done
`;

export class Reaper implements AsyncDisposable {
  readonly #input: Writable;
  readonly #ended: Promise<unknown>;

  /** Starts the reaper; it costs one small shell. */
  constructor(env: Readonly<Record<string, string>>) {
    const running = start(
      { argv: ['sh', '-c', REAPER_SCRIPT, 'dibkit-reaper'], env, stdin: 'pipe', output: 'nothing' },
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
    await new Promise<void>((resolve) => {
      this.#input.write(`${path}\n`, () => resolve());
    });
  }

  /** All is in order: whoever made the paths has removed them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#input.end('.\n');
    await this.#ended;
  }
}
