/** Options of {@link limitInformational}. */
export interface LimitInformationalOptions {
  /** The client's clock, in milliseconds. */
  readonly now: () => number;
  /** How long a reply's header may take. */
  readonly limitMs: number;
  /** Whether the request's body is still on its way: then the reply cannot be due. */
  readonly isSending: () => boolean;
  /** Makes the error that is thrown. */
  readonly tooLong: () => Error;
}

/**
 * Gives up on a reply that never comes: each informational one (status 1xx) restarts the header time-out, so that one
 * alone is not enough.
 *
 * @returns To be called at each informational reply; throws when they have come for too long.
 */
export function limitInformational(options: LimitInformationalOptions): () => void {
  let since: number | undefined;
  return () => {
    const now = options.now();
    if (since === undefined || options.isSending()) since = now;
    if (now - since >= options.limitMs) throw options.tooLong();
  };
}
