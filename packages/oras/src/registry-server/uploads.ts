import type { IncomingMessage, ServerResponse } from "node:http";
import type { Digest } from "../content/digest.ts";
import { isRepository } from "../content/reference.ts";
import { notAllowed, type RegistryCall, requireDigest, requireMethod } from "./blobs.ts";
import { RegistryFailure, sendEmpty } from "./reply.ts";
import type { Upload } from "./storage.ts";

/** Begins an upload: a session, a whole blob at once, or a mount from another repository. */
export async function startUpload(call: RegistryCall, repository: string): Promise<void> {
  const { request, response, query, storage, uploads } = call;
  requireMethod(request, ["POST"]);
  const mount = query.get("mount");
  const from = query.get("from");
  if (mount !== null && from !== null && isRepository(from)) {
    const digest = requireDigest(mount);
    if (await storage.mountBlob(from, repository, digest)) {
      sendCreated(response, repository, digest);
      return;
    }
  }
  const digest = query.get("digest");
  const expected = digest === null ? undefined : requireDigest(digest);
  const upload = await uploads.begin(repository);
  if (expected === undefined) {
    sendUpload(response, 202, upload);
    return;
  }
  await uploads.use(upload, async () => {
    await receive(call, upload);
    await finish(call, upload, expected);
  });
}

/** Continues, asks about, closes or cancels an upload. */
export async function handleUpload(
  call: RegistryCall,
  repository: string,
  id: string,
): Promise<void> {
  const { request, response, storage, uploads } = call;
  const upload = await storage.findUpload(repository, id);
  if (upload === undefined) {
    throw new RegistryFailure(404, "BLOB_UPLOAD_UNKNOWN", "no such upload");
  }
  switch (request.method) {
    case "GET":
      sendUpload(response, 204, upload);
      return;
    case "PATCH":
    case "PUT":
      await continueUpload(call, upload);
      return;
    case "DELETE":
      await uploads.use(upload, () => uploads.cancel(upload));
      sendEmpty(response, 204);
      return;
    default:
      throw notAllowed();
  }
}

async function continueUpload(call: RegistryCall, upload: Upload): Promise<void> {
  const { request, response, query, uploads } = call;
  const digest = request.method === "PUT" ? requireDigest(query.get("digest") ?? "") : undefined;
  await uploads.use(upload, async () => {
    if (!isInOrder(request, upload)) {
      sendUpload(response, 416, upload);
      return;
    }
    await receive(call, upload);
    if (digest !== undefined) await finish(call, upload, digest);
  });
  if (digest === undefined && !response.headersSent) sendUpload(response, 202, upload);
}

async function receive(
  { request, uploads, maxBlobBytes }: RegistryCall,
  upload: Upload,
): Promise<void> {
  for await (const chunk of request) {
    const bytes = chunk as Uint8Array;
    try {
      if (upload.size + bytes.byteLength > maxBlobBytes) {
        throw new RegistryFailure(413, "SIZE_INVALID", `blobs end at ${maxBlobBytes} bytes`);
      }
      await upload.append(bytes);
    } catch (error) {
      // Nobody can go on with it: its bytes would only take space.
      await uploads.cancel(upload);
      throw error;
    }
  }
}

async function finish(call: RegistryCall, upload: Upload, digest: Digest): Promise<void> {
  const { response, storage, uploads } = call;
  // Large blobs are hashed for longer than a client may be silent.
  response.socket?.setTimeout(0);
  uploads.forget(upload);
  if (!(await storage.finishUpload(upload, digest))) {
    throw new RegistryFailure(400, "DIGEST_INVALID", "the content has another digest");
  }
  sendCreated(response, upload.repository, digest);
}

function sendCreated(response: ServerResponse, repository: string, digest: Digest): void {
  sendEmpty(response, 201, {
    location: `/v2/${repository}/blobs/${digest}`,
    "docker-content-digest": digest,
  });
}

function sendUpload(response: ServerResponse, status: number, upload: Upload): void {
  response.writeHead(status, {
    location: `/v2/${upload.repository}/blobs/uploads/${upload.id}`,
    range: `0-${Math.max(upload.size - 1, 0)}`,
    "docker-upload-uuid": upload.id,
    ...(status === 204 ? {} : { "content-length": 0 }),
  });
  response.end();
}

/** A chunk with a `Content-Range` must begin where the upload ends. */
function isInOrder(request: IncomingMessage, upload: Upload): boolean {
  const header = request.headers["content-range"];
  if (header === undefined) return true;
  const match = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/.*)?$/.exec(header);
  if (match === null) return false;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const length = Number(request.headers["content-length"] ?? last - first + 1);
  return first === upload.size && last - first + 1 === length;
}
