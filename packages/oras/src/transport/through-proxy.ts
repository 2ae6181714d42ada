import type { Client, Dispatcher, Pool } from "undici";
import { OrasError } from "../errors.ts";

/** What holds for connections, as the HTTP library takes it. */
export interface SharedOptions {
  /** How long a reply's header may take, in milliseconds. */
  readonly headersTimeout: number;
  /** How long a body may stand still, in milliseconds. */
  readonly bodyTimeout: number;
  /** The most connections to one origin. */
  readonly connections: number;
}

type Http = typeof import("./http-proxy.ts");

/** Makes the pool that asks a proxy for tunnels. Failures on the way to it, and of tunnels, are the proxy's. */
export function tunnelPools(
  { Pool }: Pick<Http, "Pool">,
  { headersTimeout }: SharedOptions,
): (origin: URL, given: object) => Dispatcher {
  // Otherwise the library's own limits hold for what the proxy says about a tunnel.
  return (origin, given) =>
    withTypedTunnels(new Pool(origin, { ...given, headersTimeout }), origin);
}

/**
 * Makes the pools of requests that a proxy answers itself, because they are plain HTTP. Whatever keeps it from doing so is
 * the proxy's: nobody can tell whether it waits for the registry.
 *
 * @param proxy - The proxy's URL; other origins are reached directly or by a tunnel.
 */
export function forwardingPools(
  { Pool, Client }: Pick<Http, "Pool" | "Client">,
  proxy: URL,
  shared: SharedOptions,
): (origin: string | URL, given: object) => Dispatcher {
  return (origin, given) => {
    // The library names the proxy by its whole URL, and other origins without a path.
    if (String(origin) !== proxy.href) return new Pool(origin, given);
    return new Pool(origin, {
      ...given,
      ...shared,
      factory: (_origin, options) => withTypedReplies(new Client(proxy.origin, options), proxy),
    });
  };
}

function withTypedTunnels(pool: Pool, proxy: URL): Dispatcher {
  const connect = pool.connect.bind(pool) as (options: unknown) => Promise<unknown>;
  const typed = async (options: { readonly path: string }): Promise<unknown> => {
    try {
      return await connect(options);
    } catch (cause) {
      throw isTls(cause) ? cause : unreachable(options.path, proxy, cause);
    }
  };
  return Object.assign(pool, { connect: typed });
}

function withTypedReplies(client: Client, proxy: URL): Dispatcher {
  const dispatch = client.dispatch.bind(client);
  return Object.assign(client, {
    dispatch: (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => {
      let isAnswered = false;
      const { onResponseStart, onResponseError } = handler;
      handler.onResponseStart = (...given) => {
        isAnswered ||= given[1] >= 200;
        onResponseStart?.apply(handler, given);
      };
      handler.onResponseError = (controller, cause) => {
        const isProxys = !isAnswered && isFailure(cause) && !isTls(cause);
        const error = isProxys ? unreachable(hostOf(options.path), proxy, cause) : cause;
        onResponseError?.call(handler, controller, error);
      };
      return dispatch(options, handler);
    },
  });
}

/** The system's errors, and those of the library that tell of a connection. */
function isFailure(cause: unknown): boolean {
  return /^(?:E[A-Z]+|UND_ERR_(?:CONNECT_TIMEOUT|HEADERS_TIMEOUT|SOCKET))$/.test(codeOf(cause));
}

/** The library tells these apart by itself. */
function isTls(cause: unknown): boolean {
  return /CERT|TLS|SELF_SIGNED|UNABLE_TO_/.test(codeOf(cause));
}

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? "";
}

/** A proxy is asked for whole URLs. */
function hostOf(path: string): string {
  return URL.parse(path)?.host ?? path;
}

function unreachable(what: string, { host }: URL, cause: unknown): OrasError {
  const reason = codeOf(cause);
  return new OrasError({
    code: "ORAS_PROXY",
    message: `cannot reach ${what} through the proxy ${host}: ${(cause as Error).message || reason}`,
    details: { host: what, proxy: host, reason },
    retryable: true,
    cause,
  });
}
