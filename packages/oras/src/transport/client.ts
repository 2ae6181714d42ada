import { Authenticator, type AuthSubject } from "../auth/authenticator.ts";
import type { CredentialProvider } from "../auth/credentials.ts";
import { type ForeignRealmPolicy, isTokenServer } from "../auth/realm.ts";
import { OrasError } from "../errors.ts";
import { Connections, type ConnectionsOptions, defaultHeadersTimeoutMs } from "./connections.ts";
import { type Endpoint, endpointOf, type HostOptions } from "./endpoint.ts";
import { type ExchangeRequest, exchange } from "./exchange.ts";
import { Holds } from "./holds.ts";
import type { NetworkZone } from "./network-zone.ts";
import {
  defaultRetryLimits,
  type Pacing,
  parseRetryAfter,
  RetryCounter,
  type RetryLimits,
  systemPacing,
  throwIfAborted,
} from "./pacing.ts";
import { defaultRegistryLimits, type RegistryLimits } from "./registry-limits.ts";
import type { RegistryResponse } from "./response.ts";
import { retryableStatuses, toStatusError } from "./status-error.ts";
import { type RegistryWarning, Warnings } from "./warnings.ts";

/** Options of {@link RegistryClient}. */
export interface RegistryClientOptions extends ConnectionsOptions {
  /** How hosts are reached, by the host that users name; https with checks, and http on loopback, unless given. */
  readonly hosts?: Readonly<Record<string, HostOptions>>;
  /** Finds credentials; without it everything is anonymous. */
  readonly credentials?: CredentialProvider;
  /** Whether credentials may go to a token server on another site than the registry; `refuse` unless given. */
  readonly foreignRealms?: ForeignRealmPolicy;
  /** How failures are tried again. */
  readonly retry?: Partial<RetryLimits>;
  /** Time and chance; the system's unless given. */
  readonly pacing?: Pacing;
  /** The most redirects that one request follows; 10 unless given. */
  readonly maxRedirects?: number;
  /** How much is read of replies. */
  readonly limits?: Partial<RegistryLimits>;
  /** Sent with every request; `box` unless given. */
  readonly userAgent?: string;
  /** Told about every failure that will be tried again. */
  readonly onRetry?: (failure: OrasError) => void;
  /** Told what registries warn of: each text once, no more than 20. */
  readonly onWarning?: (warning: RegistryWarning) => void;
}

/** One request to a registry. */
export interface RegistryRequest extends Omit<ExchangeRequest, "url" | "originHeaders"> {
  /** The registry. */
  readonly endpoint: Endpoint;
  /** Path and query below the origin, or an absolute URL that the registry gave. */
  readonly target: string | URL;
  /** What a token must allow. */
  readonly scopes?: readonly string[];
  /** The repository, for credentials that are kept for a part of a registry. */
  readonly repository?: string;
  /** Statuses that are returned; every other one is thrown. */
  readonly expect: readonly number[];
  /** What the request is for, after "cannot": `fetch manifest latest of host/name`. */
  readonly what: string;
  /** False when sending it again could do harm: then every failure is the caller's; true unless given. */
  readonly isRepeatable?: boolean;
  /** Counts tries across several requests; a fresh one unless given. */
  readonly counter?: RetryCounter;
}

/**
 * The one way to registries: authorization, redirects, retries and time-outs for every request. Holds connections
 * and tokens; close it after use.
 */
export class RegistryClient implements AsyncDisposable {
  /** How much is read of replies. */
  readonly limits: RegistryLimits;
  readonly #options: RegistryClientOptions;
  readonly #pacing: Pacing;
  readonly #retry: RetryLimits;
  readonly #connections: Connections;
  readonly #authenticator: Authenticator;
  readonly #holds: Holds;
  readonly #warnings: Warnings | undefined;
  readonly #turns: Map<string, Promise<unknown>> = new Map();

  constructor(options: RegistryClientOptions = {}) {
    this.#options = options;
    this.limits = { ...defaultRegistryLimits, ...options.limits };
    this.#pacing = options.pacing ?? systemPacing;
    this.#retry = { ...defaultRetryLimits, ...options.retry };
    this.#holds = new Holds(this.#retry, this.#pacing);
    this.#connections = new Connections(options);
    const { credentials, foreignRealms, onWarning } = options;
    this.#warnings = onWarning === undefined ? undefined : new Warnings(onWarning);
    this.#authenticator = new Authenticator({
      pacing: this.#pacing,
      limits: this.limits,
      sendFor: (registry) => (request, what) => this.#askForToken(registry, request, what),
      ...(credentials === undefined ? {} : { credentials }),
      ...(foreignRealms === undefined ? {} : { foreignRealms }),
    });
  }

  /** The endpoint of a host, by the client's options. */
  endpoint(host: string): Endpoint {
    return endpointOf(host, this.#options.hosts?.[host]);
  }

  /** Counts tries of work that takes several requests. */
  retryCounter({ attempts = this.#retry.attempts }: Partial<Endpoint> = {}): RetryCounter {
    return new RetryCounter({ ...this.#retry, attempts }, this.#pacing);
  }

  /** The client's clock. */
  now(): number {
    return this.#pacing.now();
  }

  /**
   * Sends a request until it is answered with an expected status, or may not be tried again.
   *
   * @throws {@link OrasError} by status, and the network's codes.
   */
  async request(request: RegistryRequest): Promise<RegistryResponse> {
    const counter = request.counter ?? this.retryCounter(request.endpoint);
    for (;;) {
      throwIfAborted(request.signal);
      try {
        const response = await this.#authorized(request);
        if (request.expect.includes(response.status)) return response;
        throw await this.#toError(response, request);
      } catch (error) {
        if (!(error instanceof OrasError) || request.isRepeatable === false) throw error;
        await this.waitForRetry(counter, error, request.signal);
      }
    }
  }

  /** Waits before another try after a failure, or throws it. */
  async waitForRetry(
    counter: RetryCounter,
    failure: OrasError,
    signal?: AbortSignal,
  ): Promise<void> {
    const header = failure.details["retryAfter"];
    const text = typeof header === "string" ? header : undefined;
    await counter.next(failure, parseRetryAfter(text, this.#pacing.now()), signal, () =>
      this.#options.onRetry?.(failure),
    );
  }

  /** Does work alone among all work of this client with the same key, in the order of the calls. */
  async inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key);
    const running = (async () => {
      await before?.catch(() => {});
      return work();
    })();
    this.#turns.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#turns.get(key) === running) this.#turns.delete(key);
    }
  }

  /** Closes all connections; requests that wait for a host's patience end with `ORAS_ABORTED`. */
  async close(): Promise<void> {
    this.#holds.close();
    await this.#connections.close();
  }

  /** {@inheritDoc RegistryClient.close} */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #authorized(request: RegistryRequest): Promise<RegistryResponse> {
    const subject: AuthSubject = {
      endpoint: request.endpoint,
      scopes: request.scopes ?? [],
      ...(request.repository === undefined ? {} : { repository: request.repository }),
    };
    const header = await this.#authenticator.header(subject, request.signal);
    const response = await this.#send(request, header);
    if (response.status !== 401 || response.url.origin !== request.endpoint.origin) return response;
    const challenge = response.header("www-authenticate");
    const next = await this.#authenticator.answer(subject, challenge, header, request.signal);
    if (next === undefined) return response;
    response.discard();
    return this.#send(request, next);
  }

  #send(request: RegistryRequest, authorization: string | undefined): Promise<RegistryResponse> {
    const { origin, namespace } = request.endpoint;
    const url = new URL(request.target, origin);
    if (namespace !== undefined && url.origin === origin) url.searchParams.set("ns", namespace);
    const mayAuthorize = authorization !== undefined && url.origin === origin;
    return this.#exchange(
      { ...request, url, originHeaders: mayAuthorize ? { authorization } : {} },
      request.endpoint.options,
    );
  }

  /**
   * Not tried again here: the request that needs the token is, and asks for it anew. A registry may not lead further
   * into a network than it is itself, neither by the token server that it names nor by that one's redirects.
   */
  async #askForToken(
    registry: Endpoint,
    request: ExchangeRequest,
    what: string,
  ): Promise<RegistryResponse> {
    const host = this.#options.hosts?.[request.url.host] ?? {};
    const zone = this.#connections.zoneOf(new URL(registry.origin));
    const { tokenServers } = registry.options;
    const response = await this.#exchange(request, host, (url) =>
      isTokenServer(url, tokenServers) ? undefined : zone,
    );
    if (!retryableStatuses.has(response.status)) return response;
    throw await toStatusError(response, request.method, what, this.limits);
  }

  #exchange(
    request: ExchangeRequest,
    host: HostOptions,
    limitOf: (url: URL) => NetworkZone | undefined = () => undefined,
  ): Promise<RegistryResponse> {
    const { userAgent = "box", maxRedirects = 10, headersTimeoutMs } = this.#options;
    return exchange(
      { ...request, headers: { "user-agent": userAgent, ...request.headers } },
      {
        maxRedirects,
        dispatcherFor: async (url) => {
          await this.#holds.wait(url.origin, request.signal);
          return this.#connections.for(url, request.url, host, limitOf(url));
        },
        onResponse: (response) => {
          this.#holds.note(response);
          this.#warnings?.note(response);
        },
        now: () => this.#pacing.now(),
        headersTimeoutMs: headersTimeoutMs ?? defaultHeadersTimeoutMs,
      },
    );
  }

  async #toError(response: RegistryResponse, request: RegistryRequest): Promise<OrasError> {
    const error = await toStatusError(response, request.method, request.what, this.limits);
    if (error.code !== "ORAS_AUTH_REQUIRED") return error;
    const { endpoint, scopes = [] } = request;
    const hasCredentials = await this.#authenticator.hasCredentials({ endpoint, scopes });
    if (!hasCredentials) return error;
    const { message, details } = error;
    const hint = "the registry refuses the stored credentials; log in again";
    return new OrasError({ code: "ORAS_AUTH_DENIED", message, details, hint });
  }
}
