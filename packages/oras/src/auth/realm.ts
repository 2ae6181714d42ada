import { isIP } from "node:net";
import { OrasError } from "../errors.ts";
import { redactUrl } from "../transport/network-error.ts";

/** What happens when a registry names a token server on another site while there are credentials to send. */
export type ForeignRealmPolicy = "refuse" | "allow";

/** What {@link checkRealm} decides by. */
export interface CheckRealmOptions {
  /** Whether credentials would be sent. */
  readonly hasCredentials: boolean;
  /** `refuse` unless given. */
  readonly foreignRealms?: ForeignRealmPolicy;
  /** Hosts that may be asked wherever they are. */
  readonly tokenServers?: readonly string[];
}

/**
 * Decides whether a token server that a registry names may be asked.
 *
 * Plain http only for a registry that is itself reached over plain http, and only on the same host. Credentials go
 * to the registry's own site only, unless the policy allows more or the host is a known token server, and then over
 * https. Where the host is in the network is seen when it is connected to.
 *
 * @param registry - The registry's origin.
 * @param realm - The URL of the challenge.
 * @returns The realm's URL.
 * @throws {@link OrasError} `ORAS_REALM_REFUSED`.
 */
export function checkRealm(registry: URL, realm: string, options: CheckRealmOptions): URL {
  const url = URL.parse(realm);
  if (url === null) throw refuse(registry, realm.slice(0, 200), "it is not a URL");
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw refuse(registry, redactUrl(url), `its scheme is ${url.protocol}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw refuse(registry, redactUrl(url), "it carries credentials");
  }
  const isSameHost = url.hostname === registry.hostname;
  if (url.protocol === "http:" && !(registry.protocol === "http:" && isSameHost)) {
    throw refuse(registry, redactUrl(url), "it uses plain http");
  }
  const isForeign = !isSameHost && siteOf(url.hostname) !== siteOf(registry.hostname);
  const isAllowed = options.foreignRealms === "allow" || isTokenServer(url, options.tokenServers);
  if (isForeign && options.hasCredentials && !isAllowed) {
    throw refuse(registry, redactUrl(url), "it would get credentials but is on another site");
  }
  return url;
}

/** Tells whether a host is one of the known token servers. */
export function isTokenServer(url: URL, tokenServers: readonly string[] = []): boolean {
  return tokenServers.includes(url.host);
}

/**
 * The part of a host name that one owner registers, without a list of public suffixes: two labels, three below
 * short second-level names such as `co.uk`. An address is its own site.
 */
function siteOf(hostname: string): string {
  if (isIP(hostname.replace(/^\[|\]$/g, "")) !== 0) return hostname;
  const labels = hostname.split(".");
  const [second = "", top = ""] = labels.slice(-2);
  const isShort = top.length === 2 && second.length <= 3;
  return labels.slice(isShort ? -3 : -2).join(".");
}

function refuse(registry: URL, realm: string, why: string): OrasError {
  return new OrasError({
    code: "ORAS_REALM_REFUSED",
    message: `cannot ask ${realm} for a token of ${registry.host}: ${why}`,
    details: { host: registry.host, realm },
    hint: "name it as a token server of this registry if you know that it is right",
  });
}
