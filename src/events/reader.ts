/** What reads the event stream: consoles, files, pipes. */
import type { BuildEvent } from './event.ts';

/** One receiver of the events of a build. */
export interface Reader extends AsyncDisposable {
  /** For the warning when it has to be dropped: `log file "x"`. */
  readonly name: string;
  /** Takes one event. It may throw: then it gets no more, and the build goes on. */
  receive(event: BuildEvent): void;
  /** Resolves once what it was given has left the process; for whoever produces a lot. */
  drained?(): Promise<void>;
}
