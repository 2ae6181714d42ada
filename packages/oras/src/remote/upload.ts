import type { Descriptor } from "../content/descriptor.ts";
import { digestAlgorithm } from "../content/digest.ts";
import type { BlobSource } from "../content/target.ts";
import { asRetryable, OrasError } from "../errors.ts";
import type { RegistryClient, RegistryRequest } from "../transport/client.ts";
import type { RetryCounter } from "../transport/pacing.ts";
import type { RegistryResponse } from "../transport/response.ts";
import { checkStored } from "./check-stored.ts";
import { SentContent } from "./sent-content.ts";
import { inTurns } from "./upload-body.ts";

/** A blob to upload. */
export interface UploadRequest {
  /** Endpoint, scopes and words for all requests. */
  readonly request: Pick<RegistryRequest, "endpoint" | "scopes" | "repository" | "what" | "signal">;
  /** The repository. */
  readonly name: string;
  /** What is uploaded. */
  readonly descriptor: Descriptor;
  /** Its content; read again from anywhere after a failure. */
  readonly source: BlobSource;
  /** A repository of the same registry that may have the blob already. */
  readonly mountFrom?: string;
  /** Blobs larger than this go in parts of this size. */
  readonly chunkBytes: number;
}

/** So many new bytes make earlier failures forgotten, as they do for downloads. */
const progressBytes = 64 * 1024;

interface Session {
  readonly location: URL;
  readonly minChunkBytes: number;
}

interface Upload extends UploadRequest {
  readonly content: SentContent;
}

/**
 * Uploads a blob: mounted when another repository has it, else in one request, or in chunks when it is large. After a
 * failure the registry is asked how much it has; where it does not know, the upload starts over. Wrong content may be an
 * accident on its way: it is read and sent once more.
 */
export async function uploadBlob(client: RegistryClient, asked: UploadRequest): Promise<void> {
  const content = new SentContent(asked.source, asked.descriptor, asked.request.signal);
  const upload = { ...asked, content };
  const counter = client.retryCounter();
  let isSecondTry = false;
  const progress = { mostBytes: 0 };
  let { mountFrom } = upload;
  for (;;) {
    const session = await mountOrStart(client, upload, mountFrom);
    if (session === "mounted") return;
    // Where it is not there to be mounted, it will not be after a failure.
    mountFrom = undefined;
    try {
      if (upload.descriptor.size <= upload.chunkBytes) await putWhole(client, upload, session);
      else await putChunks(client, upload, session, counter, progress);
      return;
    } catch (error) {
      if (!(error instanceof OrasError)) throw error;
      const isFirstMismatch: boolean =
        !isSecondTry && (error === content.mismatch || isRefusedAsWrong(error));
      isSecondTry ||= isFirstMismatch;
      const failure = isFirstMismatch ? asRetryable(error) : error;
      await client.waitForRetry(counter, failure, upload.request.signal);
    }
  }
}

/** What was sent was right, and has not arrived like that. */
function isRefusedAsWrong({ details }: OrasError): boolean {
  return details["status"] === 400 && String(details["reported"]).startsWith("DIGEST_INVALID");
}

/** A registry that refuses to mount, or to give a token for both repositories, may still take the blob itself. */
async function mountOrStart(
  client: RegistryClient,
  upload: UploadRequest,
  mountFrom: string | undefined,
): Promise<Session | "mounted"> {
  try {
    return await startSession(client, upload, mountFrom);
  } catch (error) {
    const isRefused =
      error instanceof OrasError && !error.retryable && error.code !== "ORAS_ABORTED";
    if (mountFrom === undefined || !isRefused) throw error;
    return startSession(client, upload, undefined);
  }
}

async function startSession(
  client: RegistryClient,
  upload: UploadRequest,
  mountFrom: string | undefined,
): Promise<Session | "mounted"> {
  const { name, descriptor, request } = upload;
  const mountScopes = mountFrom === undefined ? [] : [`repository:${mountFrom}:pull`];
  const query = new URLSearchParams();
  if (mountFrom !== undefined) {
    query.set("mount", descriptor.digest);
    query.set("from", mountFrom);
  }
  const algorithm = digestAlgorithm(descriptor.digest);
  if (algorithm !== "sha256") query.set("digest-algorithm", algorithm);
  const suffix = query.size === 0 ? "" : `?${query}`;
  const response = await client.request({
    ...request,
    scopes: [...(request.scopes ?? []), ...mountScopes],
    method: "POST",
    target: `/v2/${name}/blobs/uploads/${suffix}`,
    headers: { "content-length": "0" },
    expect: [201, 202],
  });
  response.discard();
  if (response.status === 201) {
    checkStored(response, descriptor.digest);
    return "mounted";
  }
  const minimum = Number(response.header("oci-chunk-min-length") ?? 0);
  const minChunkBytes = Number.isSafeInteger(minimum) && minimum > 0 ? minimum : 0;
  return { location: locationOf(response), minChunkBytes };
}

async function putWhole(client: RegistryClient, upload: Upload, session: Session): Promise<void> {
  const { request, descriptor } = upload;
  const response = await client.request({
    ...request,
    method: "PUT",
    target: withDigest(session.location, descriptor),
    headers: contentHeaders(descriptor.size),
    body: () => openBody(upload, 0, descriptor.size),
    expect: [201],
    isRepeatable: false,
  });
  response.discard();
  checkStored(response, descriptor.digest);
}

async function putChunks(
  client: RegistryClient,
  upload: Upload,
  session: Session,
  counter: RetryCounter,
  /** How many bytes the registry had, in any session, when failures were last forgotten: these again are no progress. */
  progress: { mostBytes: number },
): Promise<void> {
  const { request, descriptor } = upload;
  const chunkBytes = Math.max(upload.chunkBytes, session.minChunkBytes);
  const worthBytes = Math.min(progressBytes, chunkBytes);
  let { location } = session;
  let offset = 0;
  let mostBytes = 0;
  while (offset < descriptor.size) {
    const end = Math.min(offset + chunkBytes, descriptor.size);
    try {
      const response = await patch(client, upload, location, offset, end);
      location = locationOf(response);
      const start = offset;
      offset = checkReceived(response, receivedBytes(response) ?? end, end);
      const isAdvanced = offset > mostBytes;
      mostBytes = Math.max(offset, mostBytes);
      const isWhole = offset === descriptor.size && offset > progress.mostBytes;
      if (isWhole || offset - progress.mostBytes >= worthBytes) {
        progress.mostBytes = offset;
        counter.reset();
      }
      const isCutShort = offset < end && offset - start < worthBytes;
      if (!isAdvanced || isCutShort) throw notAdvanced(response, offset);
    } catch (error) {
      if (!(error instanceof OrasError)) throw error;
      const isOutOfStep = error.details["status"] === 416;
      if (!isOutOfStep) await client.waitForRetry(counter, error, request.signal);
      const status = await askStatus(client, upload, location, counter);
      if (status === undefined || (isOutOfStep && status.offset === offset)) throw error;
      // Another offset each time would lead in circles for ever: it is a try like others.
      if (isOutOfStep) await client.waitForRetry(counter, asRetryable(error), request.signal);
      ({ location, offset } = status);
    }
  }
  const response = await client.request({
    ...request,
    method: "PUT",
    target: withDigest(location, descriptor),
    headers: contentHeaders(0),
    expect: [201],
    isRepeatable: false,
  });
  response.discard();
  checkStored(response, descriptor.digest);
}

async function patch(
  client: RegistryClient,
  upload: Upload,
  location: URL,
  start: number,
  end: number,
): Promise<RegistryResponse> {
  const response = await client.request({
    ...upload.request,
    method: "PATCH",
    target: location,
    headers: { ...contentHeaders(end - start), "content-range": `${start}-${end - 1}` },
    body: () => openBody(upload, start, end),
    expect: [202],
    isRepeatable: false,
  });
  response.discard();
  return response;
}

/** How much the registry has; nothing when it forgot the session. */
async function askStatus(
  client: RegistryClient,
  upload: UploadRequest,
  location: URL,
  counter: RetryCounter,
): Promise<{ location: URL; offset: number } | undefined> {
  const response = await client.request({
    ...upload.request,
    method: "GET",
    target: location,
    expect: [204, 404],
    counter,
  });
  response.discard();
  const offset = receivedBytes(response);
  if (response.status === 404 || offset === undefined) return undefined;
  const isMoved = response.header("location") !== undefined;
  checkReceived(response, offset, upload.descriptor.size);
  return { offset, location: isMoved ? locationOf(response) : location };
}

/** `Range: 0-END`; `0-0` cannot be told from nothing, and sending a byte again is refused, so it is asked for. */
function receivedBytes(response: RegistryResponse): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.header("range") ?? "");
  if (match === null) return undefined;
  const last = Number(match[1]);
  return last === 0 ? 0 : last + 1;
}

/** More than was sent cannot have been received. */
function checkReceived({ url }: RegistryResponse, offset: number, sentBytes: number): number {
  if (offset <= sentBytes) return offset;
  throw new OrasError({
    code: "ORAS_BAD_RESPONSE",
    message: `cannot upload to ${url.host}: it says that it has ${offset} bytes, and ${sentBytes} were sent`,
    details: { host: url.host },
  });
}

/** Bytes that a registry keeps forgetting are sent again as often as after other failures. */
function notAdvanced({ url }: RegistryResponse, offset: number): OrasError {
  return new OrasError({
    code: "ORAS_BAD_RESPONSE",
    message: `cannot upload to ${url.host}: it took a chunk and has ${offset} bytes after it`,
    details: { host: url.host },
    retryable: true,
  });
}

async function openBody(
  { content, source }: Upload,
  start: number,
  end: number,
): Promise<AsyncIterable<Uint8Array>> {
  const chunks = await content.open(start, end);
  return source.ownsNoChunks ? inTurns(chunks) : chunks;
}

function contentHeaders(length: number): Record<string, string> {
  return { "content-type": "application/octet-stream", "content-length": String(length) };
}

function withDigest(location: URL, descriptor: Descriptor): URL {
  const url = new URL(location);
  url.searchParams.set("digest", descriptor.digest);
  return url;
}

function locationOf(response: RegistryResponse): URL {
  const url = URL.parse(response.header("location") ?? "", response.url.href);
  const isUsable = url?.protocol === response.url.protocol || url?.protocol === "https:";
  if (url !== null && isUsable && response.header("location") !== undefined) return url;
  throw new OrasError({
    code: "ORAS_BAD_RESPONSE",
    message: `cannot upload to ${response.url.host}: it names no usable place for the upload`,
    details: { host: response.url.host },
  });
}
