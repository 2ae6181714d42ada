/** Runs changes one after another, and knows the reads that are under way. */
export class OperationQueue {
  #last: Promise<unknown> = Promise.resolve();
  readonly #reads = new Set<Promise<unknown>>();

  /** Runs a change once those before it are done, whether or not they succeeded. */
  run<Value>(change: () => Promise<Value>): Promise<Value> {
    const result = this.#last.then(change, change);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Notes a read until it is done. */
  async track<Value>(read: Promise<Value>): Promise<Value> {
    this.#reads.add(read);
    try {
      return await read;
    } finally {
      this.#reads.delete(read);
    }
  }

  /**
   * Notes each step of a walk while it is done.
   *
   * @param requireAlive - Refuses to go on with what does not exist any more.
   */
  async *trackSteps<Value>(
    walk: AsyncGenerator<Value>,
    requireAlive: () => void,
  ): AsyncGenerator<Value> {
    for (;;) {
      requireAlive();
      const step = await this.track(walk.next());
      if (step.done) return;
      yield step.value;
    }
  }

  /** Resolves once the reads that are under way now are done: none of them looks at a freed cluster any more. */
  async readsDone(): Promise<void> {
    if (this.#reads.size > 0) await Promise.allSettled([...this.#reads]);
  }
}
