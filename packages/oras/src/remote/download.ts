import type { Descriptor } from "../content/descriptor.ts";
import { wrongSize } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import type { RegistryClient, RegistryRequest } from "../transport/client.ts";
import { decodeBody, isEncoded } from "../transport/decode-body.ts";
import type { RetryCounter } from "../transport/pacing.ts";
import type { RegistryResponse } from "../transport/response.ts";
import { parseContentRange } from "./content-range.ts";

/** A blob to download. */
export interface DownloadRequest {
  /** The request without its `Range`, for the whole blob. */
  readonly request: Pick<
    RegistryRequest,
    "endpoint" | "target" | "scopes" | "repository" | "what" | "signal"
  >;
  /** What is expected; its size decides when the blob is complete. */
  readonly descriptor: Descriptor;
  /** The first byte that is wanted. */
  readonly offset: number;
}

/** So much progress makes earlier failures forgotten. */
const progressBytes = 64 * 1024;

/**
 * Downloads a blob from an offset to its end and goes on by `Range` where a connection breaks. Sizes are checked,
 * the digest is the caller's to check.
 *
 * A part is used only when its `Content-Range` fits exactly; otherwise the whole is asked for and the bytes that are
 * there already are skipped. Every continuation starts at the registry, because signed URLs expire.
 */
export async function* downloadBlob(
  client: RegistryClient,
  download: DownloadRequest,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { descriptor } = download;
  const state: DownloadState = {
    position: download.offset,
    useRange: true,
    secondChances: new Set(),
    counter: client.retryCounter(download.request.endpoint),
  };
  let mark = state.position;
  while (state.position < descriptor.size) {
    try {
      const part = await openPart(client, download, state);
      for await (const chunk of part) {
        state.position += chunk.byteLength;
        yield chunk;
      }
      if (state.position < descriptor.size) throw truncated(download, state.position);
    } catch (error) {
      if (!(error instanceof OrasError)) throw error;
      if (state.position - mark >= progressBytes) state.counter.reset();
      mark = state.position;
      await client.waitForRetry(state.counter, error, download.request.signal);
    }
  }
}

interface DownloadState {
  position: number;
  useRange: boolean;
  /** Failures that get one more try, by code. */
  readonly secondChances: Set<string>;
  readonly counter: RetryCounter;
}

async function openPart(
  client: RegistryClient,
  download: DownloadRequest,
  state: DownloadState,
): Promise<AsyncIterable<Uint8Array>> {
  const { position } = state;
  const wantsRange = position > 0 && state.useRange;
  const response = await ask(client, download, state, wantsRange);
  const skip = response.status === 206 ? 0 : position;
  if (response.status === 416 || (wantsRange && !isUsable(response, download, position))) {
    response.discard();
    state.useRange = false;
    return openPart(client, download, state);
  }
  checkLength(response, download, state);
  return exactly(skipBytes(decodeBody(response), skip), download, state);
}

async function ask(
  client: RegistryClient,
  download: DownloadRequest,
  state: DownloadState,
  wantsRange: boolean,
): Promise<RegistryResponse> {
  const { request } = download;
  const range = wantsRange ? { range: `bytes=${state.position}-` } : {};
  try {
    return await client.request({
      ...request,
      method: "GET",
      headers: { accept: "*/*", "accept-encoding": "identity", ...range },
      expect: wantsRange ? [200, 206, 416] : [200],
      counter: state.counter,
    });
  } catch (error) {
    if (!(error instanceof OrasError)) throw error;
    // A signed URL may have expired on the way: the registry makes a new one, once.
    const isElsewhere = error.details["host"] !== new URL(request.endpoint.origin).host;
    if (error.details["status"] === 403 && isElsewhere && takeChance(state, "403")) {
      return ask(client, download, state, wantsRange);
    }
    throw error;
  }
}

/** A 200 to a request for a part is usable too: the start is skipped. */
function isUsable(
  response: RegistryResponse,
  { descriptor }: DownloadRequest,
  position: number,
): boolean {
  if (response.status === 200) return true;
  const range = parseContentRange(response.header("content-range"));
  if (range === undefined || isEncoded(response)) return false;
  const isTotalRight = range.total === undefined || range.total === descriptor.size;
  return (
    range.first === position &&
    range.last >= position &&
    range.last < descriptor.size &&
    isTotalRight
  );
}

function checkLength(
  response: RegistryResponse,
  download: DownloadRequest,
  state: DownloadState,
): void {
  const header = response.header("content-length");
  if (header === undefined || isEncoded(response)) return;
  const range = parseContentRange(response.header("content-range"));
  const expected =
    response.status === 206 && range !== undefined
      ? range.last - range.first + 1
      : download.descriptor.size;
  if (Number(header) === expected) return;
  response.discard();
  throw sizeMismatch(download, state, `${header.slice(0, 20)} (as announced)`);
}

/** Stops at the first byte too many. */
async function* exactly(
  chunks: AsyncIterable<Uint8Array>,
  download: DownloadRequest,
  state: DownloadState,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = download.descriptor.size - state.position;
  for await (const chunk of chunks) {
    if (chunk.byteLength > left) {
      throw sizeMismatch(download, state, `more than ${download.descriptor.size}`);
    }
    left -= chunk.byteLength;
    yield chunk;
  }
}

async function* skipBytes(
  chunks: AsyncIterable<Uint8Array>,
  count: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = count;
  for await (const chunk of chunks) {
    if (left >= chunk.byteLength) left -= chunk.byteLength;
    else {
      yield left === 0 ? chunk : chunk.subarray(left);
      left = 0;
    }
  }
}

function takeChance(state: DownloadState, name: string): boolean {
  if (state.secondChances.has(name)) return false;
  state.secondChances.add(name);
  return true;
}

/** A wrong size may be an accident on the way: it gets one more try. */
function sizeMismatch(download: DownloadRequest, state: DownloadState, found: string): OrasError {
  const { code, message, details } = wrongSize(download.descriptor, found);
  const { host } = download.request.endpoint;
  const retryable = takeChance(state, "size");
  return new OrasError({ code, message, details: { ...details, host }, retryable });
}

function truncated(download: DownloadRequest, position: number): OrasError {
  const { descriptor, request } = download;
  return new OrasError({
    code: "ORAS_TRUNCATED",
    message: `cannot ${request.what}: ${request.endpoint.host} ended it after ${position} of ${descriptor.size} bytes`,
    details: { host: request.endpoint.host, digest: descriptor.digest },
    retryable: true,
  });
}
