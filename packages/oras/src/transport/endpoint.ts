import { isIP } from "node:net";

/** How a registry's host is reached. */
export interface HostOptions {
  /**
   * `https` checks certificates, `skip-verify` does not, `http` sends everything in the clear. The default is
   * `https`, and `http` for loopback.
   */
  readonly scheme?: "http" | "https" | "skip-verify";
  /** Certificates in PEM that are trusted besides the system's. */
  readonly ca?: string;
  /** Other registries with the same content, in the order they are asked, before the host itself. Never written to. */
  readonly mirrors?: readonly MirrorOptions[];
  /** Whether the host itself is asked after its mirrors: `fallback`, unless given, or never: `replace`. */
  readonly mirrorMode?: "fallback" | "replace";
  /**
   * Hosts, with the port if any, that may give out tokens for it although they are on another site or further inside a
   * network than it is; none unless given. Asked over https, or over http on the same host.
   */
  readonly tokenServers?: readonly string[];
}

/** A registry that has the content of another one. */
export interface MirrorOptions {
  /** Its host, and the path below which the repositories are there: `mirror.example:5000/docker-hub`. */
  readonly location: string;
  /** Only repositories at or below this one, which is left out of the mirror's path; all unless given. */
  readonly prefix?: string;
  /** Whether the mirror is a proxy for many registries, which wants `?ns=HOST` to know which one is meant. */
  readonly isProxy?: boolean;
}

/** Where the API of a registry is: scheme, host and port. */
export interface Endpoint {
  /** The host that users name, with the port if any: `docker.io`. */
  readonly host: string;
  /** The origin of requests: `https://registry-1.docker.io`. */
  readonly origin: string;
  /** How it is reached. */
  readonly options: HostOptions;
  /** The registry that a proxy is to stand in for. */
  readonly namespace?: string;
  /** Tries without progress, where another registry can be asked instead. */
  readonly attempts?: number;
}

/** Hosts whose API has another name. */
const apiHosts: ReadonlyMap<string, string> = new Map([
  ["docker.io", "registry-1.docker.io"],
  ["index.docker.io", "registry-1.docker.io"],
]);

/** Finds the endpoint of a host. */
export function endpointOf(host: string, options: HostOptions = {}): Endpoint {
  const apiHost = apiHosts.get(host) ?? host;
  const { hostname } = new URL(`http://${apiHost}`);
  const scheme = options.scheme ?? (isLoopback(hostname) ? "http" : "https");
  const protocol = scheme === "http" ? "http" : "https";
  return { host, origin: new URL(`${protocol}://${apiHost}`).origin, options };
}

/** Tells whether a URL's hostname names this machine. */
export function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "");
  if (isIP(bare) === 4) return bare.startsWith("127.");
  return bare === "::1" || bare === "localhost" || bare.endsWith(".localhost");
}
