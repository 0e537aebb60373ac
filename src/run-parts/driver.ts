/**
 * One resident bash per phase: it sources `environment.d` once and then runs hook after hook in
 * what that left behind (variables, exported functions, umask, limits, working directory).
 *
 *     starting ──ready──▶ idle ──command──▶ busy ──marker──▶ idle ──end of commands──▶ gone
 *         └────────────────┴─── the shell dies ───┴──────────────────────────────────────▲
 *
 * `hold` starts a child that has what a hook would have, and waits until it is released.
 *
 * Commands go in through a pipe, `VERB NUL PATH NUL`; after each the shell writes a marker with its
 * status into the pipe that carries the output too, so both keep their order. When the shell is
 * gone we write the last marker ourselves: what is read after it, a daemon printed.
 */
import { randomBytes } from 'node:crypto';
import { write } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Context } from '../events/event.ts';
import { openPipe, type Pipe } from '../sandbox/pipe.ts';
import { type Command, type Exit, type Running, signalQuietly, start } from '../sandbox/process.ts';
import { OutputSplitter } from './output-splitter.ts';

/**
 * What the shell runs. Descriptors 62 (commands) and 61 (markers) are out of the way of hooks, and
 * closed for them: a daemon must not hold them.
 *
 * - The first trap turns the 127 that `bash -c` gives an unset variable into the 1 of a script.
 * - The second lets a TERM reach the hook first: the shell stays until the hook has ended.
 * - The trace of `set +x` goes nowhere; a target may have no /dev/null yet.
 * - All of `environment.d` is sourced in one call of a function (compat): files may say `local`, and see what
 *   those before them declared; what is not exported ends there. Source: lib/dib-run-parts, `source_environment`.
 * - A held child reads its one byte from the commands, so that it ends with them too.
 * - `save` says, as quoted shell text in pieces that are written at once, what hooks see of this shell:
 *   exported variables and functions, umask, limits, working directory. `restore` gives it to another
 *   shell, which then need not source anything.
 */
const DRIVER = String.raw`
exec 62<&3 61>&4 3<&- 4>&-
IFS= read -r -d '' -u 62 _dib_nonce
trap '{ _dib_status=$?; set +x; } 2>&-; exit "$_dib_status"' EXIT
trap 'exit 143' TERM
_dib_next() {
    printf '\0%s %d\n' "$_dib_nonce" "$_dib_status" >&61
    IFS= read -r -d '' -u 62 _dib_verb && IFS= read -r -d '' -u 62 _dib_path || _dib_verb=end
}
_dib_source() {
    while [ "$_dib_verb" = source ]; do
        _dib_status=0
        set -eu -o pipefail -x
        source "$_dib_path" 61>&- 62<&-
        { set +x; } 2>&-
        _dib_next
    done
}
_dib_status=0
_dib_next
while [ "$_dib_verb" != end ]; do
    _dib_status=0
    case $_dib_verb in
    source)
        _dib_source
        continue
        ;;
    run) "$_dib_path" 61>&- 62<&- || _dib_status=$? ;;
    is-file) [ -f "$_dib_path" ] || _dib_status=1 ;;
    is-executable) [ -x "$_dib_path" ] || _dib_status=1 ;;
    hold)
        "$BASH" -c 'printf "\0%s held %d\n" "$1" "$$" >&61; IFS= read -r -d "" -u 62 _' \
            dib-hold "$_dib_nonce" || :
        ;;
    save)
        _dib_text=$(
            ulimit -aS
            printf '%s' "$_dib_nonce"
            ulimit -aH
            printf '%scd -- %q\n' "$_dib_nonce" "$PWD"
            export -p
            export -pf
            umask -p
        ) 2>&-
        _dib_limit=$'-([a-zA-Z])\\) +([^\n]+)'
        for _dib_kind in S H; do
            _dib_limits=${'$'}{_dib_text%%"$_dib_nonce"*}
            _dib_text=${'$'}{_dib_text#*"$_dib_nonce"}
            while [[ $_dib_limits =~ $_dib_limit ]]; do
                _dib_limits=${'$'}{_dib_limits#*"${'$'}{BASH_REMATCH[0]}"}
                _dib_text+=$'\n'"ulimit -$_dib_kind -${'$'}{BASH_REMATCH[1]} ${'$'}{BASH_REMATCH[2]}"
            done
        done
        printf -v _dib_text %q "$_dib_text"
        for ((_dib_at = 0; _dib_at < ${'$'}{#_dib_text}; _dib_at += 900)); do
            printf '\0%s =%s\n' "$_dib_nonce" "${'$'}{_dib_text:_dib_at:900}" >&61
        done
        ;;
    restore)
        unset $(compgen -e) 2>&-
        eval "eval $_dib_path" 2>&-
        ;;
    esac
    _dib_next
done
`;

export type Verb = 'source' | 'run' | 'is-file' | 'is-executable' | 'hold' | 'save' | 'restore';

/** What became of a command: its status, or the shell went away before it had one. */
export type Reply =
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'held'; readonly pid: number }
  | { readonly kind: 'gone'; readonly exit: Exit };

export interface DriverOptions {
  /** Put before `bash`, for example `['chroot', ROOT]`. */
  readonly launcher: readonly string[];
  /** `bash` (looked up in `env.PATH`) or a path. */
  readonly bash: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** For a short-lived file. Default: the system's temporary directory. */
  readonly workDir?: string;
  /** As in `PartsRequest`. */
  readonly pipe?: () => Promise<Pipe>;
  readonly stdin: 'ignore' | 'inherit';
  /** `terminal`: hooks have our own three streams, and there are no lines. */
  readonly output: { readonly onLine: (line: string) => void } | 'terminal' | 'own-group-terminal';
}

/**
 * How long to wait for the last words of what hooks left behind, in milliseconds. After a failure they may be
 * why; else a daemon that keeps its output open would cost every phase as much.
 */
const LAST_WORDS_MS = { failed: 2000, ok: 250 };
const GONE = 'gone';

export class Driver implements AsyncDisposable {
  readonly #pipe: Pipe;
  readonly #signal: AbortSignal;
  readonly #drained: () => Promise<void>;
  readonly #ownGroup: boolean;
  readonly #nonce = randomBytes(16).toString('hex');
  readonly #running: Running;
  readonly #replies: Reply[] = [];
  readonly #gone: Promise<Reply>;
  #waiting: ((reply: Reply) => void) | undefined;
  #listening = true;
  #ended: keyof typeof LAST_WORDS_MS = 'ok';
  #saved = '';

  /** A driver that is starting; the reply to `ready()` says whether it did. */
  static async open(options: DriverOptions, context: Context): Promise<Driver> {
    const pipe = await (options.pipe?.() ?? openPipe(context, options.workDir));
    return new Driver(options, pipe, context);
  }

  private constructor(options: DriverOptions, pipe: Pipe, context: Context) {
    this.#pipe = pipe;
    this.#signal = context.signal;
    this.#drained = context.drained ?? (async () => {});
    this.#ownGroup = options.output !== 'terminal';
    this.#running = start(command(options, pipe), context.signal);
    const [commands] = this.#running.extra;
    // A shell that is gone does not read its commands: `#gone` says so.
    commands?.on('error', () => {});
    commands?.write(`${this.#nonce}\0`);
    const drained = this.#read(
      typeof options.output === 'object' ? options.output.onLine : () => {},
    );
    this.#gone = this.#running.exit.then(async (exit): Promise<Reply> => {
      await drained();
      return { kind: 'gone', exit };
    });
    void this.#gone.then((reply) => this.#reply(reply));
  }

  /** Resolves when the shell takes commands, or is gone. */
  ready(): Promise<Reply> {
    return this.#next();
  }

  /** Gives the shell one command and waits for its end. One at a time. */
  async send(verb: Verb, path: string): Promise<Reply> {
    this.#running.extra[0]?.write(`${verb}\0${path}\0`);
    const reply = await this.#next();
    if ((verb === 'run' || verb === 'source') && (reply.kind !== 'status' || reply.status !== 0)) {
      this.#ended = 'failed';
    }
    return reply;
  }

  /**
   * Starts a child that waits and has what a hook would have; undefined when the shell has gone.
   * No other command until it is released.
   */
  async hold(): Promise<{ readonly pid: number; release(): Promise<void> } | undefined> {
    const reply = await this.send('hold', '');
    if (reply.kind !== 'held') {
      return undefined;
    }
    return {
      pid: reply.pid,
      release: async () => {
        this.#running.extra[0]?.write('\0');
        await this.#next();
      },
    };
  }

  /** The shell's process, once it is started. */
  get pid(): number | undefined {
    return this.#running.pid;
  }

  /** What hooks see of this shell, for `restore`; undefined when the shell is gone. */
  async save(): Promise<string | undefined> {
    this.#saved = '';
    const reply = await this.send('save', '');
    return reply.kind === 'status' ? this.#saved : undefined;
  }

  /** Gives hooks what they saw of another shell. */
  restore(saved: string): Promise<Reply> {
    return this.send('restore', saved);
  }

  /** Ends the shell, and resolves when its output has been passed on. Idempotent. */
  async end(): Promise<void> {
    this.#running.extra[0]?.end();
    await this.#gone;
  }

  /** Ends the shell. What a hook left behind lives on; its output is read and dropped. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
    if (this.#signal.aborted) {
      this.#killRest();
      this.#pipe.output.destroy();
    } else {
      this.#pipe.output.unref();
    }
  }

  /** Ends what hooks left in our group and TERM did not end. */
  #killRest(): void {
    if (this.#ownGroup && this.#running.pid !== undefined) {
      signalQuietly(-this.#running.pid, 'SIGKILL');
    }
  }

  #next(): Promise<Reply> {
    const reply = this.#replies.shift();
    if (reply?.kind === 'gone') {
      this.#replies.unshift(reply);
    }
    return reply === undefined
      ? new Promise((resolve) => {
          this.#waiting = resolve;
        })
      : Promise.resolve(reply);
  }

  #reply(reply: Reply): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined || reply.kind === 'gone') {
      this.#replies.push(reply);
    }
    waiting?.(reply);
  }

  /** Starts to read; the function returned waits until all that the shell said has been read. */
  #read(onLine: (line: string) => void): () => Promise<void> {
    const { output } = this.#pipe;
    let reached: () => void = () => {};
    const last = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const splitter = new OutputSplitter(this.#nonce, {
      line: (text) => {
        if (this.#listening) {
          onLine(text);
        }
      },
      marker: (text) => {
        if (text === GONE) {
          reached();
        } else if (text.startsWith('=')) {
          this.#saved += text.slice(1);
        } else {
          this.#reply(parseReply(text));
        }
      },
    });
    const ended = new Promise<void>((resolve) => {
      output.once('end', resolve);
    });
    output.on('error', () => {});
    output.on('data', (chunk: Buffer) => {
      splitter.push(chunk);
      // Who prints faster than anybody reads has to wait, as for any pipe.
      output.pause();
      void this.#drained().then(() => output.resume());
    });
    return async () => {
      await promisify(write)(this.#pipe.fd, `\0${this.#nonce} ${GONE}\n`);
      await last;
      this.#pipe.closeWriter();
      const enough = new AbortController();
      await Promise.race([
        ended,
        setTimeout(LAST_WORDS_MS[this.#ended], undefined, { signal: enough.signal }).catch(
          () => {},
        ),
      ]);
      enough.abort();
      splitter.flush();
      this.#listening = false;
    };
  }
}

function parseReply(marker: string): Reply {
  const [word = '', pid] = marker.split(' ');
  return word === 'held'
    ? { kind: 'held', pid: Number(pid) }
    : { kind: 'status', status: Number(word) };
}

function command(options: DriverOptions, pipe: Pipe): Command {
  const [file, ...args] = [...options.launcher, options.bash, '-c', DRIVER, 'dib-run-parts'];
  return {
    argv: [file ?? options.bash, ...args],
    env: options.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin,
    output: typeof options.output === 'object' ? { fd: pipe.fd } : 'terminal',
    ownGroup: options.output === 'own-group-terminal',
    extra: ['to-child', { fd: pipe.fd }],
  };
}
