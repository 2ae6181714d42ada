import { type Descriptor, describe } from "../content/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../content/digest.ts";
import { parseManifest } from "../content/manifest.ts";
import { bareMediaType, hasSuccessors, mediaTypes } from "../content/media-types.ts";
import type { FetchedManifest } from "../content/target.ts";
import { readAll, wrongDigest } from "../content/verify.ts";
import { asRetryable, OrasError } from "../errors.ts";
import type { RegistryClient, RegistryRequest } from "../transport/client.ts";
import { decodeBody, isEncoded } from "../transport/decode-body.ts";
import type { RegistryResponse } from "../transport/response.ts";

/** The manifest types that are asked for. */
export const acceptedManifests: string = [
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerList,
].join(", ");

/** A request for a manifest, without method and headers. */
export type ManifestRequest = Pick<
  RegistryRequest,
  "endpoint" | "target" | "scopes" | "repository" | "what" | "signal"
>;

/**
 * Fetches a manifest with one GET. One that is asked for by digest must hash to it and gets one more try. By tag, the
 * digest is computed; where the registry says that it is another one, the manifest is asked for once more, and then
 * taken for what it is.
 */
export async function fetchManifest(
  client: RegistryClient,
  request: ManifestRequest,
  reference: string,
): Promise<FetchedManifest> {
  const counter = client.retryCounter(request.endpoint);
  const { maxManifestBytes: maxBytes } = client.limits;
  let isSecondTry = false;
  for (;;) {
    const response = await client.request({
      ...request,
      method: "GET",
      headers: { accept: acceptedManifests },
      expect: [200],
      counter,
    });
    try {
      const bytes = await readAll(decodeBody(response), maxBytes, `the manifest ${reference}`);
      checkLength(response, bytes, request);
      return { bytes, descriptor: judge(response, bytes, reference, isSecondTry) };
    } catch (error) {
      if (!(error instanceof OrasError)) throw error;
      const isFirstMismatch: boolean = error.code === "OCI_DIGEST_MISMATCH" && !isSecondTry;
      isSecondTry ||= isFirstMismatch;
      const failure = isFirstMismatch ? asRetryable(error) : error;
      await client.waitForRetry(counter, failure, request.signal);
    }
  }
}

/** What a HEAD tells about a manifest, when it tells all of it. */
export function describeHead(
  response: RegistryResponse,
  reference: string,
): Descriptor | undefined {
  const digest = response.header("docker-content-digest") ?? "";
  const length = response.header("content-length") ?? "";
  const mediaType = bareMediaType(response.header("content-type") ?? "");
  const isRight = isDigest(reference) ? digest === reference : isDigest(digest);
  // Some servers tell how long their reply to the HEAD is, which is nothing.
  const isSize = /^\d{1,15}$/.test(length) && Number(length) > 0;
  if (!isRight || !isSize || !hasSuccessors(mediaType)) return undefined;
  return { mediaType, digest: digest as Digest, size: Number(length) };
}

function judge(
  response: RegistryResponse,
  bytes: Uint8Array,
  reference: string,
  isSecondTry: boolean,
): Descriptor {
  const claimed = isSecondTry ? "" : (response.header("docker-content-digest") ?? "");
  const expected = isDigest(reference) ? reference : claimed;
  if (isDigest(expected)) {
    const found = digestOf(bytes, digestAlgorithm(expected));
    if (found !== expected) throw wrongDigest(expected, found);
  }
  const contentType = bareMediaType(response.header("content-type") ?? "");
  if (contentType === "text/html") throw refuseHtml(response, bytes, reference);
  const { mediaType } = parseManifest(bytes, {
    what: reference,
    maxBytes: bytes.byteLength,
    ...(hasSuccessors(contentType) ? { mediaType: contentType } : {}),
  });
  const described = describe(mediaType, bytes);
  return isDigest(reference) ? { ...described, digest: reference } : described;
}

/** A body that a proxy cut cleanly would otherwise only show as JSON that does not end. */
function checkLength(
  response: RegistryResponse,
  bytes: Uint8Array,
  request: ManifestRequest,
): void {
  const header = response.header("content-length");
  if (header === undefined || isEncoded(response)) return;
  if (Number(header) === bytes.byteLength) return;
  throw new OrasError({
    code: "ORAS_TRUNCATED",
    message: `cannot ${request.what}: got ${bytes.byteLength} of ${header.slice(0, 20)} bytes`,
    retryable: true,
  });
}

function refuseHtml(response: RegistryResponse, bytes: Uint8Array, reference: string): OrasError {
  const excerpt = new TextDecoder().decode(bytes.subarray(0, 200)).replace(/\p{Cc}/gu, " ");
  return new OrasError({
    code: "OCI_INVALID_MANIFEST",
    message: `cannot use manifest ${reference}: ${response.url.host} sent a web page: ${excerpt}`,
    details: { host: response.url.host },
    hint: "check the host: a proxy or a login page may answer in place of the registry",
  });
}
