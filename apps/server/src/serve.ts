import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { buildApp } from "./app.ts";
import type { BoxService } from "./box-service.ts";
import { ServerError } from "./errors.ts";
import { createGuard, type Guard } from "./net/guard.ts";
import { authorityOf, isLoopback, type ListenAddress } from "./net/listen-address.ts";
import { bindSocket } from "./net/unix-socket.ts";
import { LiveOperations } from "./operations/live-operations.ts";
import { OperationLauncher } from "./operations/operation-launcher.ts";
import { Operations } from "./operations/operations.ts";
import { type SupervisedBoxes, Supervisor } from "./supervision/supervisor.ts";

/** What {@link serve} takes. */
export interface ServeOptions {
  /** The boxes. */
  readonly boxes: BoxService;
  /** Boxes whose restart policies are honoured as long as the server runs; none unless given. */
  readonly supervised?: SupervisedBoxes | undefined;
  /** Where to listen. */
  readonly listen: ListenAddress;
  /** What callers on TCP must send as a bearer token; needed off loopback. */
  readonly apiKey?: string | undefined;
  /** Of the server, for the document. */
  readonly version: string;
  /** The largest body; 1 MiB unless given. */
  readonly bodyLimitBytes?: number;
  /** Takes log lines, as JSON. */
  readonly log?: (line: string) => void;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/** A server that listens. */
export interface RunningServer {
  /** As a URL: `unix:///PATH` or `http://HOST:PORT`. */
  readonly url: string;
  /**
   * Ends it: no new work from now on, running operations may end within the grace, then they are cancelled, then the
   * connections are closed. Calling it again waits for the first call.
   */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
}

const defaultBodyLimitBytes = 1024 * 1024;
const defaultGraceMs = 10_000;

/**
 * Starts the server.
 *
 * @throws {@link ServerError} `SERVER_KEY_REQUIRED` for an address that others reach, without a key;
 * `SERVER_ADDRESS_IN_USE`, `SERVER_ADDRESS_INVALID`, `SERVER_SOCKET_REFUSED`.
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { boxes, listen, apiKey, now = Date.now, log } = options;
  requireKey(listen, apiKey);
  const live = new LiveOperations({
    now,
    onInternalError: (error, operation) =>
      app.log.error({ err: error, operation: operation.id }, "operation failed"),
  });
  const operations = new Operations(live, boxes.operations);
  const launcher = new OperationLauncher(live, operations);
  let guard: Guard | undefined;
  const app: FastifyInstance = await buildApp({
    boxes,
    live,
    operations,
    launcher,
    guard: () => guard,
    version: options.version,
    bodyLimitBytes: options.bodyLimitBytes ?? defaultBodyLimitBytes,
    hasApiKey: apiKey !== undefined,
    log,
  });
  const bound = await bind(app, listen, (host, port) => {
    guard = createGuard({ host, port, apiKey });
  });
  const supervisor = superviseBoxes(app, options.supervised);
  let stopped: Promise<void> | undefined;
  const stop = async (graceMs: number) => {
    launcher.stop();
    await supervisor?.stop();
    await live.settle(graceMs);
    await app.close();
    await bound.remove();
  };
  return {
    url: bound.url,
    stop: ({ graceMs = defaultGraceMs } = {}) => {
      stopped ??= stop(graceMs);
      return stopped;
    },
  };
}

function superviseBoxes(
  app: FastifyInstance,
  boxes: SupervisedBoxes | undefined,
): Supervisor | undefined {
  if (boxes === undefined) return undefined;
  const supervisor = new Supervisor({
    boxes,
    onNote: ({ type, message, error, box }) => {
      if (type === "failed") app.log.error({ err: error, box }, message);
      else app.log.info({ box }, message);
    },
  });
  supervisor.start();
  return supervisor;
}

interface Bound {
  readonly url: string;
  remove(): Promise<void>;
}

async function bind(
  app: FastifyInstance,
  listen: ListenAddress,
  onTcp: (host: string, port: number) => void,
): Promise<Bound> {
  try {
    if (listen.type === "unix") {
      const socket = await bindSocket(listen.path, (path) => app.listen({ path }));
      return { url: `unix://${listen.path}`, remove: () => socket.remove() };
    }
    const { host, port } = listen;
    // The guard is set before the first request can be read: listening and this go in one turn of the event loop.
    app.server.on("listening", () => onTcp(host, (app.server.address() as AddressInfo).port));
    await app.listen({ host: host === "localhost" ? "127.0.0.1" : host, port });
    const { port: actual } = app.server.address() as AddressInfo;
    return { url: `http://${authorityOf(host, actual)}`, remove: async () => {} };
  } catch (error) {
    await app.close();
    throw addressInUse(error, listen);
  }
}

function requireKey(listen: ListenAddress, apiKey: string | undefined): void {
  if (apiKey !== undefined && apiKey.length < 16) {
    throw new ServerError({
      code: "SERVER_KEY_REQUIRED",
      message: "the API key is shorter than 16 characters",
      hint: "make one with: openssl rand -hex 32",
    });
  }
  if (listen.type === "unix" || isLoopback(listen.host) || apiKey !== undefined) return;
  throw new ServerError({
    code: "SERVER_KEY_REQUIRED",
    message: `others can reach ${listen.host}: box listens there only with an API key`,
    hint: "put a key into a file and pass it with --api-key-file, or listen on 127.0.0.1",
  });
}

function addressInUse(error: unknown, listen: ListenAddress): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (listen.type === "unix" || (code !== "EADDRINUSE" && code !== "EADDRNOTAVAIL")) return error;
  return new ServerError({
    code: code === "EADDRINUSE" ? "SERVER_ADDRESS_IN_USE" : "SERVER_ADDRESS_INVALID",
    message: `cannot listen on ${authorityOf(listen.host, listen.port)}: ${code}`,
    hint: "choose another address with --listen",
    cause: error,
  });
}
