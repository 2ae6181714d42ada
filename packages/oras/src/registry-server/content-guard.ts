import type { Digest } from "../content/digest.ts";

/**
 * Keeps a collection of garbage from taking what a request relies on. While one runs, it knows the digests that requests
 * asked for; what is being removed is waited for, so that a request sees it whole or not at all.
 */
export class ContentGuard {
  #used: Set<Digest> | undefined;
  readonly #removing: Map<Digest, Promise<void>> = new Map();

  /** Says that a request relies on content from here on. */
  async use(digest: Digest): Promise<void> {
    this.#used?.add(digest);
    await this.#removing.get(digest);
  }

  /** Begins a collection. @returns false when one is under way. */
  begin(): boolean {
    if (this.#used !== undefined) return false;
    this.#used = new Set();
    return true;
  }

  /** Ends a collection. */
  end(): void {
    this.#used = undefined;
  }

  /** Removes content that no request has asked for since the collection began. @returns false when one has. */
  async remove(digest: Digest, work: () => Promise<void>): Promise<boolean> {
    if (this.#used?.has(digest)) return false;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#removing.set(digest, promise);
    try {
      await work();
    } finally {
      this.#removing.delete(digest);
      resolve();
    }
    return true;
  }
}
