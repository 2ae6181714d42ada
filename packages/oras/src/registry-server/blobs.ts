import type { IncomingMessage, ServerResponse } from "node:http";
import { type Digest, isDigest } from "../content/digest.ts";
import { RegistryFailure, sendChunks, sendEmpty } from "./reply.ts";
import type { RegistryStorage } from "./storage.ts";
import type { UploadSessions } from "./upload-sessions.ts";

/** One request to the server, parsed. */
export interface RegistryCall {
  /** The request. */
  readonly request: IncomingMessage;
  /** Its reply. */
  readonly response: ServerResponse;
  /** The query of the request's URL. */
  readonly query: URLSearchParams;
  /** Where content is kept. */
  readonly storage: RegistryStorage;
  /** The most bytes of one blob. */
  readonly maxBlobBytes: number;
  /** What has begun to be uploaded. */
  readonly uploads: UploadSessions;
}

/** Reads, describes or deletes a blob. */
export async function handleBlob(
  call: RegistryCall,
  repository: string,
  digestText: string,
): Promise<void> {
  const { request, response, storage } = call;
  const digest = requireDigest(digestText);
  if (request.method === "DELETE") {
    if (!(await storage.deleteBlob(repository, digest))) throw unknownBlob();
    sendEmpty(response, 202);
    return;
  }
  requireMethod(request, ["GET", "HEAD"]);
  const size = await storage.blobSize(repository, digest);
  if (size === undefined) throw unknownBlob();
  const range = parseRange(request.headers.range, size);
  if (range === "unsatisfiable") {
    sendEmpty(response, 416, { "content-range": `bytes */${size}` });
    return;
  }
  const { start, end } = range ?? { start: 0, end: size };
  response.writeHead(range === undefined ? 200 : 206, {
    "content-type": "application/octet-stream",
    "docker-content-digest": digest,
    "accept-ranges": "bytes",
    etag: `"${digest}"`,
    "content-length": end - start,
    ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end - 1}/${size}` }),
  });
  if (request.method === "HEAD") response.end();
  else await sendChunks(response, storage.readBlob(digest, start, end));
}

/** Refuses other methods. */
export function requireMethod(request: IncomingMessage, methods: readonly string[]): void {
  if (!methods.includes(request.method ?? "")) throw notAllowed();
}

/** Refuses what is not a digest. */
export function requireDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new RegistryFailure(400, "DIGEST_INVALID", "invalid digest");
}

/** The failure of a method that a path does not know. */
export function notAllowed(): RegistryFailure {
  return new RegistryFailure(405, "UNSUPPORTED", "the method is not supported here");
}

type ByteRange = { readonly start: number; readonly end: number };

/** One range of bytes; anything else is ignored, as RFC 9110 allows. */
function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  if (match[1] === "") {
    const count = Math.min(Number(match[2]), size);
    return count === 0 ? "unsatisfiable" : { start: size - count, end: size };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? size : Math.min(Number(match[2]) + 1, size);
  return start >= size || end <= start ? "unsatisfiable" : { start, end };
}

function unknownBlob(): RegistryFailure {
  return new RegistryFailure(404, "BLOB_UNKNOWN", "no such blob in this repository");
}
