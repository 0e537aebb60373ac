/**
 * A stack of things to undo, released in reverse order: `await using scope = new Scope()`.
 *
 * Stands in for `AsyncDisposableStack`, which Node 20 lacks. Every release runs even if another
 * one throws; the first error is rethrown at the end.
 */
export class Scope implements AsyncDisposable {
  #releases: (() => PromiseLike<void> | void)[] = [];

  /** Registers `release` to run when the scope ends. */
  defer(release: () => PromiseLike<void> | void): void {
    this.#releases.push(release);
  }

  /** Takes over `resource` and returns it. */
  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  /** Idempotent: a second call has nothing left to do. */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (let release = this.#releases.pop(); release; release = this.#releases.pop()) {
      try {
        await release();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) {
      throw errors[0];
    }
  }
}
