import type { Dispatcher } from "undici";
import { toNetworkError } from "./network-error.ts";

/** A reply whose body has not been read. The body must be read or {@link RegistryResponse.discard}ed. */
export interface RegistryResponse {
  /** HTTP status. */
  readonly status: number;
  /** Where the reply came from, after redirects. */
  readonly url: URL;
  /** The first value of a header, by lower-case name. */
  header(name: string): string | undefined;
  /** The body as it was sent; failures are typed. Iterate once. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Lets the body go unread. */
  discard(): void;
}

/** Wraps a reply of the HTTP library. */
export function wrapResponse(
  data: Dispatcher.ResponseData,
  url: URL,
  method: string,
  signal?: AbortSignal,
): RegistryResponse {
  // An unread body may fail later, when nobody listens any more.
  data.body.on("error", () => {});
  return {
    status: data.statusCode,
    url,
    header: (name) => firstValue(data.headers[name]),
    body: typedBody(data, url, method, signal),
    discard: () => {
      data.body.destroy();
    },
  };
}

async function* typedBody(
  data: Dispatcher.ResponseData,
  url: URL,
  method: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const chunk of data.body) yield chunk as Uint8Array;
  } catch (error) {
    throw toNetworkError(error, { method, url }, signal);
  } finally {
    data.body.destroy();
  }
}

function firstValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
