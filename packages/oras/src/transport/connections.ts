import { lookup as systemLookup } from "node:dns";
import type { LookupFunction } from "node:net";
import type { buildConnector, Dispatcher } from "undici";
import { OrasError } from "../errors.ts";
import { type HostOptions, isLoopback } from "./endpoint.ts";
import { guardLookup, tooFarIn } from "./guard-lookup.ts";
import { isWithin, literalOf, type NetworkZone, zoneOfAddress } from "./network-zone.ts";
import { forwardingPools, tunnelPools } from "./through-proxy.ts";

/** Proxies for requests; values as in the usual environment variables. Loopback is always reached directly. */
export interface ProxyOptions {
  /** For plain HTTP: `http://USER:PASSWORD@HOST:PORT`. */
  readonly httpProxy?: string;
  /** For https; that for HTTP unless given. */
  readonly httpsProxy?: string;
  /** Hosts that are reached directly: names with their subdomains, with or without a port, or `*`. */
  readonly noProxy?: string;
}

/** Options of `Connections`. */
export interface ConnectionsOptions {
  /** How long a reply's header may take; 60 s unless given. */
  readonly headersTimeoutMs?: number;
  /** How long a body may stand still; 30 s unless given. */
  readonly idleTimeoutMs?: number;
  /** How long a connection may take; 10 s unless given. */
  readonly connectTimeoutMs?: number;
  /** The most connections to one origin; 4 unless given. */
  readonly connectionsPerOrigin?: number;
  /** Proxies; none unless given, whatever the environment says. */
  readonly proxy?: ProxyOptions;
  /** Certificates in PEM that are trusted for all hosts and proxies, besides the system's. */
  readonly ca?: string;
  /** How names of hosts become addresses, where no proxy does that; the system's way unless given. */
  readonly lookup?: LookupFunction;
}

/** How long a reply's header may take unless options say otherwise. */
export const defaultHeadersTimeoutMs = 60_000;

/** The HTTP library, loaded with the first request: most commands find everything at hand and make none. */
export function loadHttp(): Promise<typeof import("./http.ts")> {
  // By way of a module of names: bundlers give a CommonJS library that is imported late none but its default.
  return import("./http.ts");
}

/** All connections of a client: one pool for each way in which hosts are trusted and reached. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #pools: Map<string, Promise<Dispatcher>> = new Map();
  /** The outermost zone in which a host was reached. */
  readonly #zones: Map<string, NetworkZone> = new Map();

  /** @throws {@link OrasError} `ORAS_PROXY` for a proxy that is no URL. */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
    validateProxy(options.proxy?.httpProxy);
    validateProxy(options.proxy?.httpsProxy);
  }

  /**
   * The connections for a URL. A host's own trust holds for that origin only, never for where it redirects to.
   *
   * @param limit - How far in the host may be. Such connections are never shared with others: those were not checked.
   *   Where a proxy resolves names, only addresses are.
   * @throws {@link OrasError} `ORAS_REALM_REFUSED`, also when connecting.
   */
  async for(url: URL, first: URL, host: HostOptions, limit?: NetworkZone): Promise<Dispatcher> {
    const own = url.origin === first.origin ? host : {};
    const isDirect = this.#options.proxy === undefined || isLoopback(url.hostname);
    const literal = literalOf(url.hostname);
    if (literal !== undefined && limit !== undefined && !isWithin(zoneOfAddress(literal), limit)) {
      throw tooFarIn(url.hostname, literal);
    }
    const key = JSON.stringify([isDirect, own.scheme === "skip-verify", own.ca ?? "", limit ?? ""]);
    const pool = this.#pools.get(key) ?? this.#create(own, isDirect, limit);
    this.#pools.set(key, pool);
    return pool;
  }

  /** The zone in which a host was reached; public when that is unknown, because a proxy reached it. */
  zoneOf({ hostname }: URL): NetworkZone {
    const literal = literalOf(hostname);
    if (literal !== undefined) return zoneOfAddress(literal);
    return this.#zones.get(hostname) ?? "public";
  }

  /** Closes them. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(async (pool) => (await pool).destroy()));
  }

  async #create(host: HostOptions, isDirect: boolean, limit?: NetworkZone): Promise<Dispatcher> {
    const http = await loadHttp();
    const options = this.#options;
    const timeout = options.connectTimeoutMs ?? 10_000;
    const tls = {
      rejectUnauthorized: host.scheme !== "skip-verify",
      ...(await trust(options.ca, host.ca)),
    };
    const { lookup = systemLookup } = options;
    const connect = http.buildConnector({
      timeout,
      ...tls,
      lookup: limit === undefined ? lookup : guardLookup(lookup, limit),
    });
    const limits = {
      headersTimeout: options.headersTimeoutMs ?? defaultHeadersTimeoutMs,
      bodyTimeout: options.idleTimeoutMs ?? 30_000,
      connections: options.connectionsPerOrigin ?? 4,
      pipelining: 1,
    };
    const shared = { ...limits, connect: this.#noted(connect) };
    if (isDirect) return new http.Agent(shared);
    const { httpProxy = "", httpsProxy = "", noProxy = "" } = options.proxy ?? {};
    const { Client, EnvHttpProxyAgent, Pool } = await import("./http-proxy.ts");
    // Empty texts, because the library would otherwise look into the environment.
    return new EnvHttpProxyAgent({
      ...shared,
      httpProxy,
      httpsProxy: httpsProxy || httpProxy,
      noProxy,
      connectTimeout: timeout,
      requestTls: tls,
      proxyTls: await trust(options.ca),
      clientFactory: tunnelPools({ Pool }, limits),
      ...(httpProxy === ""
        ? {}
        : { factory: forwardingPools({ Pool, Client }, new URL(httpProxy), limits) }),
    });
  }

  /** Writes down where hosts are: the address that was connected to, whatever their names say later. */
  #noted(connect: buildConnector.connector): buildConnector.connector {
    return (options, callback) =>
      connect(options, (...result) => {
        const address = result[1]?.remoteAddress;
        if (address !== undefined) this.#note(options.hostname, zoneOfAddress(address));
        callback(...result);
      });
  }

  #note(hostname: string, zone: NetworkZone): void {
    const known = this.#zones.get(hostname);
    if (known === undefined || isWithin(zone, known)) this.#zones.set(hostname, zone);
  }
}

async function trust(...extra: readonly (string | undefined)[]): Promise<{ ca?: string[] }> {
  const given = extra.filter((pem) => pem !== undefined);
  if (given.length === 0) return {};
  const { getCACertificates } = process.getBuiltinModule("node:tls");
  return { ca: [...getCACertificates("default"), ...given] };
}

function validateProxy(text: string | undefined): void {
  if (text === undefined || text === "") return;
  const url = URL.parse(text);
  if (url?.protocol === "http:" || url?.protocol === "https:") return;
  // The text is not shown: it may hold a password.
  throw new OrasError({
    code: "ORAS_PROXY",
    message: "cannot use the proxy: it is not an http or https URL",
    hint: "proxies are written http://HOST:PORT or http://USER:PASSWORD@HOST:PORT",
  });
}
