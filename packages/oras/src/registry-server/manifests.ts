import { digestAlgorithm, digestOf, isDigest } from "../content/digest.ts";
import { type ManifestDocument, maxManifestBytes, parseManifest } from "../content/manifest.ts";
import { bareMediaType } from "../content/media-types.ts";
import { isTag } from "../content/reference.ts";
import { describeListed } from "../content/referrer.ts";
import { readAll } from "../content/verify.ts";
import { OrasError } from "../errors.ts";
import { type RegistryCall, requireMethod } from "./blobs.ts";
import { RegistryFailure, sendBytes, sendEmpty } from "./reply.ts";
import type { RegistryStorage, StoredManifest } from "./storage.ts";

/** Reads, writes or deletes a manifest or a tag. */
export async function handleManifest(
  call: RegistryCall,
  repository: string,
  reference: string,
): Promise<void> {
  requireMethod(call.request, ["GET", "HEAD", "PUT", "DELETE"]);
  if (!isDigest(reference) && !isTag(reference)) {
    if (call.request.method !== "PUT") throw unknownManifest();
    throw new RegistryFailure(400, "MANIFEST_INVALID", "neither a tag nor a digest");
  }
  if (call.request.method === "PUT") await putManifest(call, repository, reference);
  else if (call.request.method === "DELETE") await deleteManifest(call, repository, reference);
  else await getManifest(call, repository, reference);
}

async function getManifest(
  call: RegistryCall,
  repository: string,
  reference: string,
): Promise<void> {
  const found = await call.storage.findManifest(repository, reference);
  if (found === undefined) throw unknownManifest();
  sendBytes(call.response, 200, found.bytes, {
    "content-type": found.mediaType,
    "docker-content-digest": found.digest,
    etag: `"${found.digest}"`,
  });
}

async function putManifest(
  call: RegistryCall,
  repository: string,
  reference: string,
): Promise<void> {
  const { request, response, storage } = call;
  const bytes = await readBody(call);
  const mediaType = bareMediaType(request.headers["content-type"] ?? "");
  const document = parseOrRefuse(bytes, mediaType);
  await requireContent(storage, repository, document);
  const algorithm = isDigest(reference) ? digestAlgorithm(reference) : "sha256";
  const digest = digestOf(bytes, algorithm);
  if (isDigest(reference) && digest !== reference) {
    throw new RegistryFailure(400, "DIGEST_INVALID", "the content has another digest");
  }
  const manifest = describeStored(document, { mediaType: document.mediaType, digest, bytes });
  await storage.putManifest(repository, manifest, isDigest(reference) ? undefined : reference);
  sendEmpty(response, 201, {
    location: `/v2/${repository}/manifests/${digest}`,
    "docker-content-digest": digest,
    ...(manifest.subject === undefined ? {} : { "oci-subject": manifest.subject }),
  });
}

async function deleteManifest(
  { response, storage }: RegistryCall,
  repository: string,
  reference: string,
): Promise<void> {
  const isDeleted = isDigest(reference)
    ? await storage.deleteManifest(repository, reference)
    : await storage.deleteTag(repository, reference);
  if (!isDeleted) throw unknownManifest();
  sendEmpty(response, 202);
}

function describeStored(
  document: ManifestDocument,
  stored: Pick<StoredManifest, "mediaType" | "digest" | "bytes">,
): StoredManifest {
  const { subject } = document.type === "manifest" ? document.manifest : document.index;
  const listed = describeListed(document, { ...stored, size: stored.bytes.byteLength });
  return { ...stored, listed, ...(subject === undefined ? {} : { subject: subject.digest }) };
}

/** Config, layers and entries must be there before what refers to them; a subject need not be. */
async function requireContent(
  storage: RegistryStorage,
  repository: string,
  document: ManifestDocument,
): Promise<void> {
  if (document.type === "index") {
    for (const { digest } of document.index.manifests) {
      if ((await storage.findManifest(repository, digest)) === undefined) throw missing(digest);
    }
    return;
  }
  for (const { digest } of [document.manifest.config, ...document.manifest.layers]) {
    if ((await storage.blobSize(repository, digest)) === undefined) throw missing(digest);
  }
}

async function readBody({ request }: RegistryCall): Promise<Uint8Array> {
  try {
    return await readAll(request, maxManifestBytes, "the manifest");
  } catch (error) {
    if (!(error instanceof OrasError)) throw error;
    throw new RegistryFailure(413, "SIZE_INVALID", error.message);
  }
}

function parseOrRefuse(bytes: Uint8Array, mediaType: string): ManifestDocument {
  try {
    return parseManifest(bytes, { mediaType });
  } catch (error) {
    if (!(error instanceof OrasError)) throw error;
    throw new RegistryFailure(400, "MANIFEST_INVALID", error.message);
  }
}

function missing(digest: string): RegistryFailure {
  return new RegistryFailure(404, "MANIFEST_BLOB_UNKNOWN", `the repository has no ${digest}`);
}

function unknownManifest(): RegistryFailure {
  return new RegistryFailure(404, "MANIFEST_UNKNOWN", "no such manifest in this repository");
}
