import type { Dispatcher } from "undici";
import { OrasError } from "../errors.ts";
import { limitRate } from "./limit-rate.ts";
import { type RequestFacts, redactUrl, toNetworkError } from "./network-error.ts";

/** A reply whose body has not been read. The body must be read or {@link RegistryResponse.discard}ed. */
export interface RegistryResponse {
  /** HTTP status. */
  readonly status: number;
  /** Where the reply came from, after redirects. */
  readonly url: URL;
  /** The first value of a header, by lower-case name. */
  header(name: string): string | undefined;
  /** All values of a header that may be sent several times, in their order. */
  headerLines(name: string): readonly string[];
  /** The body as it was sent; failures are typed. Iterate once. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets the body go unread. */
  discard(): void;
}

/** Where a reply comes from, and what ends the reading of its body. */
export interface ResponseFacts extends RequestFacts {
  /** The client's clock, in milliseconds. */
  readonly now: () => number;
  /** Stops it. */
  readonly signal?: AbortSignal | undefined;
}

/** Wraps a reply of the HTTP library. A body that stands still or drips fails with `ORAS_STALLED`. */
export function wrapResponse(
  data: Dispatcher.ResponseData,
  facts: ResponseFacts,
): RegistryResponse {
  // An unread body may fail later, when nobody listens any more.
  data.body.on("error", () => {});
  return {
    status: data.statusCode,
    url: facts.url,
    header: (name) => linesOf(data.headers[name])[0],
    headerLines: (name) => linesOf(data.headers[name]),
    body: limitRate(typedBody(data, facts), facts.now, () => tooSlow(facts)),
    discard: () => {
      data.body.destroy();
    },
  };
}

async function* typedBody(
  data: Dispatcher.ResponseData,
  facts: ResponseFacts,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of data.body) yield chunk as Uint8Array;
  } catch (error) {
    throw toNetworkError(error, facts, facts.signal);
  } finally {
    data.body.destroy();
  }
}

function linesOf(value: string | string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function tooSlow({ method, url }: RequestFacts): OrasError {
  return new OrasError({
    code: "ORAS_STALLED",
    message: `cannot ${method} ${redactUrl(url)}: it sends less than 1 KiB a second`,
    details: { host: url.host, method, url: redactUrl(url) },
    retryable: true,
  });
}
