import { BlockList, isIP } from "node:net";
import { isAbsolute } from "node:path";
import { ServerError } from "../errors.ts";

/** Where to listen. */
export type ListenAddress =
  | { readonly type: "unix"; readonly path: string }
  | { readonly type: "tcp"; readonly host: string; readonly port: number };

/**
 * Reads `unix:///absolute/path` or `tcp://HOST:PORT`, where HOST is `localhost` or an IP address.
 *
 * @throws {@link ServerError} `SERVER_ADDRESS_INVALID`
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.startsWith("unix://")) {
    const path = text.slice("unix://".length);
    if (isAbsolute(path) && !path.includes("\0")) return { type: "unix", path };
  }
  const [, bracketed, plain, digits] =
    /^tcp:\/\/(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  const isKnown =
    bracketed === undefined
      ? host === "localhost" || isIP(host ?? "") === 4
      : isIP(bracketed) === 6;
  if (host !== undefined && isKnown && port <= 65_535) return { type: "tcp", host, port };
  throw new ServerError({
    code: "SERVER_ADDRESS_INVALID",
    message: `cannot listen on ${JSON.stringify(text)}`,
    hint: "write unix:///absolute/path, tcp://127.0.0.1:8100 or tcp://[::1]:8100",
  });
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const version = isIP(host);
  return version !== 0 && loopback.check(host, version === 6 ? "ipv6" : "ipv4");
}

/** A `host:port` as URLs and `Host` headers have it. */
export function authorityOf(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}
