import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { handleBlob, type RegistryCall, requireMethod } from "./blobs.ts";
import { handleCatalog, handleReferrers, handleTags } from "./listings.ts";
import { handleManifest } from "./manifests.ts";
import { MemoryRegistryStorage } from "./memory-storage.ts";
import { RegistryFailure, sendFailure, sendJson } from "./reply.ts";
import { parseRoute } from "./route.ts";
import type { RegistryStorage } from "./storage.ts";
import { handleUpload, startUpload } from "./uploads.ts";

/** Options of {@link serveRegistry}. */
export interface ServeRegistryOptions {
  /** The port; a free one unless given. */
  readonly port?: number;
  /** The address to listen at; loopback unless given. */
  readonly host?: string;
  /** Where content is kept; in memory unless given. */
  readonly storage?: RegistryStorage;
  /** Told about failures of the server itself. */
  readonly onError?: (error: unknown) => void;
}

/** A registry that is being served. */
export interface ServedRegistry extends AsyncDisposable {
  /** Its URL: `http://127.0.0.1:PORT`. */
  readonly origin: string;
  /** Its host as references name it: `127.0.0.1:PORT`. */
  readonly host: string;
  /** Where its content is kept. */
  readonly storage: RegistryStorage;
  /** Stops serving and closes all connections. */
  close(): Promise<void>;
}

/** Serves a registry by the OCI distribution specification 1.1 over plain HTTP. */
export async function serveRegistry(options: ServeRegistryOptions = {}): Promise<ServedRegistry> {
  const storage = options.storage ?? new MemoryRegistryStorage();
  const server = createServer((request, response) => {
    void answer(request, response, storage, options);
  });
  const address = await listen(server, options.port ?? 0, options.host ?? "127.0.0.1");
  const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
  const host = `${name}:${address.port}`;
  const close = (): Promise<void> => closeServer(server);
  return { origin: `http://${host}`, host, storage, close, [Symbol.asyncDispose]: close };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  storage: RegistryStorage,
  options: ServeRegistryOptions,
): Promise<void> {
  response.setHeader("docker-distribution-api-version", "registry/2.0");
  try {
    const url = URL.parse(request.url ?? "/", "http://registry.invalid");
    if (url === null) throw new RegistryFailure(400, "UNSUPPORTED", "malformed request target");
    await route({ request, response, query: url.searchParams, storage }, url.pathname);
  } catch (error) {
    if (!(error instanceof RegistryFailure)) options.onError?.(error);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // What is left of a refused body must not be taken for the next request.
    if (!request.complete) response.setHeader("connection", "close");
    sendFailure(
      response,
      error instanceof RegistryFailure
        ? error
        : new RegistryFailure(500, "UNSUPPORTED", "the registry failed"),
    );
  }
}

async function route(call: RegistryCall, path: string): Promise<void> {
  const found = parseRoute(path);
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
