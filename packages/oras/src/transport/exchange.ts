import type { Dispatcher } from "undici";
import { OrasError } from "../errors.ts";
import { loadHttp } from "./connections.ts";
import { limitInformational } from "./limit-informational.ts";
import { type RequestFacts, redactUrl, toNetworkError } from "./network-error.ts";
import { type RegistryResponse, wrapResponse } from "./response.ts";

/** The body of a request; a function, because a request may be sent more than once. */
export type RequestBody = () => Promise<Uint8Array | AsyncIterable<Uint8Array>>;

/** One request, before redirects. */
export interface ExchangeRequest {
  /** HTTP method. */
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Where it goes first. */
  readonly url: URL;
  /** Headers that may go to any host. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers that only the first origin may see, such as `authorization`. */
  readonly originHeaders?: Readonly<Record<string, string>>;
  /** The body, when there is one. */
  readonly body?: RequestBody;
  /** Refuse redirects to another origin, because the body is a secret. */
  readonly keepOrigin?: boolean;
  /** Stops the request and the reading of its reply. */
  readonly signal?: AbortSignal | undefined;
}

/** Sends requests over connections; see {@link exchange}. */
export interface ExchangeOptions {
  /** The connections to use for a URL, when it may be asked. */
  readonly dispatcherFor: (url: URL) => Promise<Dispatcher>;
  /** Told about every reply, those that redirect too. */
  readonly onResponse: (response: RegistryResponse) => void;
  /** The most redirects that are followed. */
  readonly maxRedirects: number;
  /** The client's clock, in milliseconds. */
  readonly now: () => number;
  /** How long a reply's header may take, whatever informational replies come before it. */
  readonly headersTimeoutMs: number;
}

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Sends one request and follows its redirects. Headers of the first origin are dropped as soon as a redirect leaves
 * it, and stay dropped when the chain comes back.
 *
 * @throws {@link OrasError} `ORAS_REDIRECT_REFUSED` and the network's codes. A reply of any status is returned.
 */
export async function exchange(
  request: ExchangeRequest,
  options: ExchangeOptions,
): Promise<RegistryResponse> {
  let url = request.url;
  let originHeaders = request.originHeaders ?? {};
  for (let redirects = 0; ; redirects++) {
    const headers = { ...request.headers, ...originHeaders };
    const response = await send({ ...request, url, headers }, options);
    const location = response.header("location");
    if (!redirectStatuses.has(response.status) || location === undefined) return response;
    response.discard();
    if (redirects >= options.maxRedirects) {
      throw refuse(url, `more than ${options.maxRedirects} redirects`);
    }
    const next = nextUrl(url, location);
    if (!mayRepeat(request.method, response.status)) {
      throw refuse(url, `a ${request.method} may not be repeated after status ${response.status}`);
    }
    if (next.origin !== url.origin) {
      if (request.keepOrigin) throw refuse(url, "what was sent may not leave its origin");
      originHeaders = {};
    }
    url = next;
  }
}

async function send(
  request: ExchangeRequest,
  { dispatcherFor, onResponse, now, headersTimeoutMs }: ExchangeOptions,
): Promise<RegistryResponse> {
  const { method, url, headers, signal } = request;
  try {
    const dispatcher = await dispatcherFor(url);
    const body = await request.body?.();
    const sending = body === undefined || body instanceof Uint8Array ? undefined : watchBody(body);
    const http = await loadHttp();
    const data = await http.request(url, {
      method,
      dispatcher,
      headers: headers ?? {},
      onInfo: limitInformational({
        now,
        limitMs: headersTimeoutMs,
        isSending: () => sending?.isOver() === false,
        tooLong: () => noReply({ method, url }),
      }),
      ...(body === undefined ? {} : { body: (sending?.chunks ?? body) as Uint8Array }),
      ...(signal === undefined ? {} : { signal }),
    });
    const response = wrapResponse(data, { method, url, now, signal });
    onResponse(response);
    return response;
  } catch (error) {
    throw toNetworkError(error, { method, url }, signal);
  }
}

interface WatchedBody {
  readonly chunks: AsyncIterable<Uint8Array>;
  isOver(): boolean;
}

function watchBody(body: AsyncIterable<Uint8Array>): WatchedBody {
  let isOver = false;
  const chunks = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* body;
    } finally {
      isOver = true;
    }
  };
  return { chunks: chunks(), isOver: () => isOver };
}

function noReply({ method, url }: RequestFacts): OrasError {
  return new OrasError({
    code: "ORAS_STALLED",
    message: `cannot ${method} ${redactUrl(url)}: it announces a reply again and again, and sends none`,
    details: { host: url.host, method, url: redactUrl(url) },
    retryable: true,
  });
}

function nextUrl(url: URL, location: string): URL {
  const next = URL.parse(location, url.href);
  if (next === null) throw refuse(url, "the target is not a URL");
  if (next.protocol !== "https:" && next.protocol !== "http:") {
    throw refuse(url, `the target has the scheme ${next.protocol}`);
  }
  if (url.protocol === "https:" && next.protocol === "http:") {
    throw refuse(url, "it leads from https to http");
  }
  if (next.username !== "" || next.password !== "") {
    throw refuse(url, "the target carries credentials");
  }
  return next;
}

function mayRepeat(method: string, status: number): boolean {
  return method === "GET" || method === "HEAD" || status === 307 || status === 308;
}

function refuse(url: URL, why: string): OrasError {
  return new OrasError({
    code: "ORAS_REDIRECT_REFUSED",
    message: `cannot follow a redirect of ${redactUrl(url)}: ${why}`,
    details: { host: url.host, url: redactUrl(url) },
  });
}
