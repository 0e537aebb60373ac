/** Gathers, while a build runs, what its summary needs. */
import type { BuildEvent } from './event.ts';
import type { Reader } from './reader.ts';
import { addFact, type BuildFacts, NO_FACTS } from './summary.ts';

/** A reader that only remembers; `facts` is what `renderSummary` takes. */
export class FactsReader implements Reader {
  readonly name = 'the summary';
  #facts = NO_FACTS;

  get facts(): BuildFacts {
    return this.#facts;
  }

  receive(event: BuildEvent): void {
    this.#facts = addFact(this.#facts, event);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
