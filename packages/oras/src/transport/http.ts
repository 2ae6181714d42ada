import type * as http from "undici";
// Declarations of ours would not reach the packages that read this source: the types are stated at each export below.
// @ts-expect-error undici has no types for this file.
import sendRequest from "undici/lib/api/api-request.js";
// @ts-expect-error undici has no types for this file.
import connector from "undici/lib/core/connect.js";
// @ts-expect-error undici has no types for this file.
import agent from "undici/lib/dispatcher/agent.js";

// The HTTP library's own entry loads four times as much: caches, mocks, proxies, web sockets. What is loaded here is the same
// modules, of the one version that is depended on.

/** Connections to all origins. */
export const Agent: typeof http.Agent = agent;

/** Makes the function that connects. */
export const buildConnector: typeof http.buildConnector = connector;

/** What the library takes for a request, and the connections that it goes over. */
type RequestOptions = Omit<http.Dispatcher.RequestOptions, "origin" | "path"> & {
  readonly dispatcher: http.Dispatcher;
};

/** Sends a request; the reply's body has not been read. */
export function request(
  url: URL,
  { dispatcher, ...options }: RequestOptions,
): Promise<http.Dispatcher.ResponseData> {
  const { origin, pathname, search } = url;
  return sendRequest.call(dispatcher, { ...options, origin, path: `${pathname}${search}` });
}
