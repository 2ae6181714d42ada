import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { listen } from "@box/test-support";
import type { FakePacing } from "./fake-pacing.ts";

/** What a request is for. */
export type Place =
  | "token"
  | "index"
  | "manifest"
  | "config"
  | "layer"
  | "tags"
  | "referrers"
  | "other";

/** What the registry says when nothing is wrong. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A request, the reply that it should get, and the means to give it another one. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly real: Reply;
  /** The whole layer that faults are for. */
  readonly whole: Buffer;
  /** 1 for the first request to the place. */
  readonly count: number;
  /** The registry itself: `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** A server of somebody else: `http://localhost:PORT`. */
  readonly elsewhere: string;
  readonly pacing: FakePacing;
}

/** Answers in place of the registry. */
export type Injection = (exchange: Exchange) => unknown;

/** One fault: where, at which requests, and what happens there. */
export interface Fault {
  readonly at: Place;
  /** The numbers of the requests to the place that it befalls, the first is 1; all unless given. */
  readonly on?: readonly number[];
  readonly inject: Injection;
}

/** A request as a server saw it. */
export interface Seen {
  readonly place: Place;
  /** Everything that could hold a secret: target, headers and body. */
  readonly text: string;
}

/** Options of {@link faultyRegistry}. */
export interface FaultyRegistryOptions {
  /** The healthy registry that it stands before. */
  readonly upstream: string;
  /** The layer that faults are for. */
  readonly layer: { readonly digest: string; readonly bytes: Uint8Array };
  /** Layers that are always well. */
  readonly soundDigests: readonly string[];
  /** Told that a token is about to be given out. */
  readonly onToken: () => void;
  readonly faults: readonly Fault[];
  readonly pacing: FakePacing;
  /** What the server of somebody else answers. */
  readonly elsewhere: Injection;
  /** Certificate and key, to serve https. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A registry that fails as it is told to; it ends with the test. */
export interface FaultyRegistry {
  readonly host: string;
  /** Requests to the registry. */
  readonly seen: Seen[];
  /** Requests to the server of somebody else. */
  readonly seenElsewhere: Seen[];
  /** The tokens that it gave out. */
  readonly tokens: string[];
  /** Lets it be well from now on. */
  heal(): void;
}

/** Stands between a client and a healthy registry and breaks what it is told to break. */
export async function faultyRegistry(options: FaultyRegistryOptions): Promise<FaultyRegistry> {
  const { upstream, pacing, tls } = options;
  let { faults } = options;
  const seen: Seen[] = [];
  const seenElsewhere: Seen[] = [];
  const tokens: string[] = [];
  const whole = Buffer.from(options.layer.bytes);
  const origins = { origin: "", elsewhere: "" };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const place = placeOf(request, options);
    const body = await readBody(request);
    seen.push({ place, text: textOf(request, body) });
    if (place === "token") options.onToken();
    const count = seen.filter((one) => one.place === place).length;
    const real = await forward(request, body, upstream, origins.origin);
    if (place === "token") tokens.push(...tokensIn(real.body));
    const fault = faults.find((one) => one.at === place && (one.on?.includes(count) ?? true));
    const exchange = { request, response, real, whole, count, pacing, ...origins };
    if (fault !== undefined) await fault.inject(exchange);
    else send(exchange, real);
  };
  const answerElsewhere = async (
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const body = await readBody(request);
    seenElsewhere.push({ place: "other", text: textOf(request, body) });
    const real = { status: 200, headers: {}, body: Buffer.alloc(0) };
    const count = seenElsewhere.length;
    await options.elsewhere({ request, response, real, whole, count, pacing, ...origins });
  };

  const port = await listen(
    tls === undefined ? createServer(answer) : createSecureServer(tls, answer),
  );
  origins.origin = `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  origins.elsewhere = `http://localhost:${await listen(createServer(answerElsewhere))}`;
  const heal = (): void => {
    faults = [];
  };
  return { host: `127.0.0.1:${port}`, seen, seenElsewhere, tokens, heal };
}

/** Sends a reply as it is. */
export function send({ request, response }: Exchange, { status, headers, body }: Reply): void {
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? undefined : body);
}

function placeOf(
  { url = "", headers }: IncomingMessage,
  { layer, soundDigests }: FaultyRegistryOptions,
): Place {
  const { pathname } = new URL(url, "http://x.invalid");
  const [, kind = "", reference = ""] = /\/(manifests|blobs|tags|referrers)\/([^/]+)$/.exec(
    pathname,
  ) ?? ["", "", ""];
  if (pathname === "/token") return "token";
  // The first request of a client, which only tells it that it needs a token.
  if (headers.authorization === undefined) return "other";
  if (kind === "manifests") return reference.includes(":") ? "manifest" : "index";
  if (kind === "tags" || kind === "referrers") return kind;
  if (kind !== "blobs" || soundDigests.includes(reference)) return "other";
  return reference === layer.digest ? "layer" : "config";
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function textOf({ method, url, rawHeaders }: IncomingMessage, body: Buffer): string {
  return `${method} ${url} ${rawHeaders.join(" ")} ${decodeURIComponent(body.toString("latin1"))}`;
}

const passedOn = ["accept", "authorization", "content-type", "range"];

async function forward(
  request: IncomingMessage,
  body: Buffer,
  upstream: string,
  origin: string,
): Promise<Reply> {
  const { method = "GET", url = "/", headers } = request;
  const reply = await fetch(`${upstream}${url}`, {
    method,
    headers: passedOn.flatMap((name): [string, string][] => {
      const value = headers[name];
      return typeof value === "string" ? [[name, value]] : [];
    }),
    ...(body.byteLength === 0 ? {} : { body: new Uint8Array(body) }),
  });
  const own = Object.fromEntries(
    [...reply.headers].filter(([name]) => !["connection", "keep-alive", "date"].includes(name)),
  );
  const challenge = own["www-authenticate"]?.replaceAll(upstream, origin);
  return {
    status: reply.status,
    headers: { ...own, ...(challenge === undefined ? {} : { "www-authenticate": challenge }) },
    body: Buffer.from(await reply.arrayBuffer()),
  };
}

function tokensIn(body: Buffer): string[] {
  return [...body.toString().matchAll(/"(?:access_|refresh_)?token":"([^"]+)"/g)].map(
    ([, token = ""]) => token,
  );
}
