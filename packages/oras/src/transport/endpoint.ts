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
}

/** Where the API of a registry is: scheme, host and port. */
export interface Endpoint {
  /** The host that users name, with the port if any: `docker.io`. */
  readonly host: string;
  /** The origin of requests: `https://registry-1.docker.io`. */
  readonly origin: string;
  /** How it is reached. */
  readonly options: HostOptions;
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
function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "");
  if (isIP(bare) === 4) return bare.startsWith("127.");
  return bare === "::1" || bare === "localhost" || bare.endsWith(".localhost");
}
