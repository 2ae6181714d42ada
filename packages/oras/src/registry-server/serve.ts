import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { isBoxError } from "@box/errors";
import { isRegistryHost } from "../content/reference.ts";
import { type AccessControl, basicAccess, openAccess, type RegistryAuth } from "./access.ts";
import { handleBlob, type RegistryCall, requireMethod } from "./blobs.ts";
import { handleCatalog, handleReferrers, handleTags } from "./listings.ts";
import { handleManifest } from "./manifests.ts";
import { MemoryRegistryStorage } from "./memory-storage.ts";
import { RegistryFailure, sendFailure, sendJson } from "./reply.ts";
import { neededAccess, parseRoute } from "./route.ts";
import type { RegistryStorage } from "./storage.ts";
import { tokenAccess } from "./token-access.ts";
import { UploadSessions } from "./upload-sessions.ts";
import { handleUpload, startUpload } from "./uploads.ts";

/** Options of {@link serveRegistry}. */
export interface ServeRegistryOptions {
  /** The port; a free one unless given. */
  readonly port?: number;
  /** The address to listen at; loopback unless given. */
  readonly host?: string;
  /** Where content is kept; in memory unless given. */
  readonly storage?: RegistryStorage;
  /** Who may use it; everybody unless given. */
  readonly auth?: RegistryAuth;
  /** Certificate and key in PEM, to serve https. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /**
   * The URL under which others reach it, where something stands before it that changes hosts or schemes; unless given, the
   * host is what a request names. Clients are sent there for tokens.
   */
  readonly publicUrl?: string;
  /** The most bytes of one blob; 64 GiB unless given. */
  readonly maxBlobBytes?: number;
  /** How long a client may neither send nor take a byte; 60 s unless given. */
  readonly idleTimeoutMs?: number;
  /** The most uploads that have begun and not ended; 1,000 unless given. */
  readonly maxUploads?: number;
  /** Uploads that nobody goes on with for so long are thrown away; an hour unless given. */
  readonly uploadIdleMs?: number;
  /** The clock of tokens and uploads, in milliseconds since the epoch; the system's unless given. */
  readonly now?: () => number;
  /** Told about failures of the server itself. */
  readonly onError?: (error: unknown) => void;
  /** Told about every request, when it has been answered. */
  readonly onRequest?: (request: ServedRequest) => void;
}

/** A request that was answered. */
export interface ServedRequest {
  /** HTTP method. */
  readonly method: string;
  /** The path without its query, which may hold secrets. */
  readonly path: string;
  /** HTTP status. */
  readonly status: number;
}

/** A registry that is being served. */
export interface ServedRegistry extends AsyncDisposable {
  /** Its URL: `http://127.0.0.1:PORT`, or https. */
  readonly origin: string;
  /** Its host as references name it: `127.0.0.1:PORT`. */
  readonly host: string;
  /** Where its content is kept. */
  readonly storage: RegistryStorage;
  /** Stops serving, closes all connections and the storage. */
  close(): Promise<void>;
}

/** Serves a registry by the OCI distribution specification 1.1. */
export async function serveRegistry(options: ServeRegistryOptions = {}): Promise<ServedRegistry> {
  const storage: RegistryStorage = options.storage ?? new MemoryRegistryStorage();
  const access = createAccess(options);
  const uploads = new UploadSessions(storage, {
    maxUploads: options.maxUploads ?? 1_000,
    idleMs: options.uploadIdleMs ?? 3_600_000,
    now: options.now ?? Date.now,
  });
  const context: ServerContext = { storage, access, options, uploads };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(request, response, context);
  };
  const { tls } = options;
  const server = tls === undefined ? createServer(onRequest) : createSecureServer(tls, onRequest);
  // Large blobs over slow lines take longer than the default of five minutes.
  server.requestTimeout = 0;
  server.setTimeout(options.idleTimeoutMs ?? 60_000);
  const expiring = setInterval(() => {
    uploads.expire().catch((error: unknown) => options.onError?.(error));
  }, 60_000).unref();
  const address = await listen(server, options.port ?? 0, options.host ?? "127.0.0.1");
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  const host = `${name}:${address.port}`;
  const origin = `${schemeOf(options)}://${host}`;
  const close = async (): Promise<void> => {
    clearInterval(expiring);
    await closeServer(server);
    await storage.close?.();
  };
  return { origin, host, storage, close, [Symbol.asyncDispose]: close };
}

interface ServerContext {
  readonly storage: RegistryStorage;
  readonly access: AccessControl;
  readonly options: ServeRegistryOptions;
  readonly uploads: UploadSessions;
}

function createAccess(options: ServeRegistryOptions): AccessControl {
  const { auth, now = Date.now, publicUrl } = options;
  if (auth === undefined) return openAccess;
  if (auth.scheme === "basic") return basicAccess(auth);
  const publicOrigin = publicUrl === undefined ? undefined : new URL(publicUrl).origin;
  return tokenAccess(auth, (request) => publicOrigin ?? askedOrigin(request, options), now);
}

/**
 * The server's URL as a request names it: the address that is listened to may be all addresses, and no name of a
 * certificate.
 */
function askedOrigin({ headers, socket }: IncomingMessage, options: ServeRegistryOptions): string {
  const { host = "" } = headers;
  if (isRegistryHost(host)) return `${schemeOf(options)}://${host}`;
  const { localAddress = "", localPort } = socket;
  const name = localAddress.includes(":") ? `[${localAddress}]` : localAddress;
  return `${schemeOf(options)}://${name}:${localPort}`;
}

function schemeOf({ tls }: ServeRegistryOptions): string {
  return tls === undefined ? "http" : "https";
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  context: ServerContext,
): Promise<void> {
  const { options } = context;
  response.setHeader("docker-distribution-api-version", "registry/2.0");
  try {
    const url = URL.parse(request.url ?? "/", "http://registry.invalid");
    if (url === null) throw new RegistryFailure(400, "UNSUPPORTED", "malformed request target");
    const { method = "" } = request;
    response.on("close", () => {
      options.onRequest?.({ method, path: url.pathname, status: response.statusCode });
    });
    const isToken = url.pathname === "/token";
    if (isToken && (await context.access.answerTokenRequest(request, response))) return;
    const call = { ...context, request, response, query: url.searchParams };
    await route({ ...call, maxBlobBytes: options.maxBlobBytes ?? 64 * 1024 ** 3 }, url.pathname);
  } catch (error) {
    if (!(error instanceof RegistryFailure)) options.onError?.(error);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // What is left of a refused body must not be taken for the next request.
    if (!request.complete) response.setHeader("connection", "close");
    sendFailure(response, failureOf(error));
  }
}

function failureOf(error: unknown): RegistryFailure {
  if (error instanceof RegistryFailure) return error;
  return isBoxError(error) && error.kind === "no-space"
    ? new RegistryFailure(507, "DENIED", "the registry's disk is full")
    : new RegistryFailure(500, "UNSUPPORTED", "the registry failed");
}

async function route(
  call: RegistryCall & Pick<ServerContext, "access">,
  path: string,
): Promise<void> {
  const found = parseRoute(path);
  call.access.require(call.request, neededAccess(found, call.request.method ?? "", call.query));
  switch (found.type) {
    case "base":
      requireMethod(call.request, ["GET", "HEAD"]);
      return sendJson(call.response, 200, {});
    case "catalog":
      return handleCatalog(call);
    case "blob":
      return handleBlob(call, found.repository, found.digest);
    case "uploads":
      return startUpload(call, found.repository);
    case "upload":
      return handleUpload(call, found.repository, found.id);
    case "manifest":
      return handleManifest(call, found.repository, found.reference);
    case "tags":
      return handleTags(call, found.repository);
    case "referrers":
      return handleReferrers(call, found.repository, found.digest);
  }
}

function listen(server: Server, port: number, host: string): Promise<AddressInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<AddressInfo>();
  server.once("error", reject);
  server.listen(port, host, () => resolve(server.address() as AddressInfo));
  return promise;
}

function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}
