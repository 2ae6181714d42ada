import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { ServerError } from "../errors.ts";
import { authorityOf, isLoopback } from "./listen-address.ts";

/** What a server on TCP asks of every request. */
export interface Guard {
  /** @throws {@link ServerError} `SERVER_HOST_REFUSED`, `SERVER_ORIGIN_REFUSED` or `SERVER_UNAUTHORIZED`. */
  check(request: Pick<FastifyRequest, "headers" | "url">): void;
}

/** What a {@link Guard} is made from. */
export interface GuardOptions {
  /** The address that the server listens on. */
  readonly host: string;
  /** Its port. */
  readonly port: number;
  /** What callers must send as a bearer token. */
  readonly apiKey: string | undefined;
}

/** Paths that tell nothing about anybody's data, so that probes need no key. */
const openPaths = new Set(["/livez", "/readyz"]);

/**
 * Guards a TCP port. A web page that someone opens in a browser can send requests to loopback: its `Origin` is not
 * ours, and with DNS rebinding its `Host` is not ours.
 */
export function createGuard({ host, port, apiKey }: GuardOptions): Guard {
  const names = isLoopback(host) ? ["localhost", "127.0.0.1", "::1", host] : undefined;
  const authorities =
    names === undefined ? undefined : new Set(names.map((name) => authorityOf(name, port)));
  const keyHash = apiKey === undefined ? undefined : hashOf(apiKey);
  return {
    check: ({ headers, url }) => {
      const authority = headers.host?.toLowerCase() ?? "";
      if (authorities !== undefined && !authorities.has(authority)) throw hostRefused(authority);
      const { origin } = headers;
      if (origin !== undefined && origin !== `http://${authority}`) throw originRefused(origin);
      if (keyHash === undefined || openPaths.has(url.split("?")[0] ?? "")) return;
      const [, token = ""] = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "") ?? [];
      // Hashes have one length, so the comparison tells nothing about the key.
      if (!timingSafeEqual(hashOf(token), keyHash)) throw unauthorized();
    },
  };
}

function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function hostRefused(host: string): ServerError {
  return new ServerError({
    code: "SERVER_HOST_REFUSED",
    message: `the Host header ${JSON.stringify(host)} does not name this server`,
    hint: "connect by localhost or by the address that the server listens on",
  });
}

function originRefused(origin: string): ServerError {
  return new ServerError({
    code: "SERVER_ORIGIN_REFUSED",
    message: `a page of ${JSON.stringify(origin)} may not use this server`,
  });
}

function unauthorized(): ServerError {
  return new ServerError({
    code: "SERVER_UNAUTHORIZED",
    message: "this server wants its API key",
    hint: "send the header: Authorization: Bearer KEY",
  });
}
