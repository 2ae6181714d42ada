import type { CleanUp, Outcome } from "../task.ts";

/** Clean-ups in the order they were asked for, run last first. */
export class CleanUpStack {
  readonly #entries: { readonly cleanUp: CleanUp; readonly onlyOnFailure: boolean }[] = [];
  readonly #errors: unknown[] = [];
  #ended: Outcome | undefined;
  #owner: CleanUpStack | undefined;

  /** Adds one. After the end it runs at once: a task that the run no longer waits for must not leak. */
  add(cleanUp: CleanUp, onlyOnFailure: boolean): void {
    if (this.#owner !== undefined) this.#owner.add(cleanUp, onlyOnFailure);
    else if (this.#ended === undefined) this.#entries.push({ cleanUp, onlyOnFailure });
    else void this.#run(cleanUp, onlyOnFailure, this.#ended);
  }

  /** Takes over everything of another stack, above its own, and what is added to that one later. */
  take(other: CleanUpStack): void {
    other.#owner = this;
    this.#entries.push(...other.#entries.splice(0));
    this.#errors.push(...other.#errors.splice(0));
  }

  /** Runs all of them, the last one first, each to its end; those added meanwhile too. */
  async runAll(outcome: Outcome): Promise<readonly unknown[]> {
    let entry = this.#entries.pop();
    while (entry !== undefined) {
      await this.#run(entry.cleanUp, entry.onlyOnFailure, outcome);
      entry = this.#entries.pop();
    }
    this.#ended = outcome;
    return this.#errors.slice();
  }

  async #run(cleanUp: CleanUp, onlyOnFailure: boolean, outcome: Outcome): Promise<void> {
    if (onlyOnFailure && outcome.ok) return;
    try {
      await cleanUp(outcome);
    } catch (error) {
      this.#errors.push(error);
    }
  }
}
