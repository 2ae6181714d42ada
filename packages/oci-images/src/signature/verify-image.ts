import { isBoxError } from "@box/errors";
import {
  type Descriptor,
  digestAlgorithm,
  digestHex,
  type FetchManifestOptions,
  fetchManifestBytes,
  type GraphTarget,
  isManifestType,
  mediaTypes,
  type OperationOptions,
  OrasError,
  parseManifest,
  type ReadonlyTarget,
  readAll,
} from "@box/oras";
import { ImageError } from "../errors.ts";
import type { SignatureVerdict, SignedContent } from "./signed-content.ts";
import { isBundleType, judgeBundle, maxBundleBytes } from "./sigstore-bundle.ts";
import {
  judgeSimpleSigning,
  maxPayloadBytes,
  signatureAnnotation,
  simpleSigningType,
} from "./simple-signing.ts";
import type { VerificationKey } from "./verification-key.ts";

/** Where signatures are looked for: beside the image. */
export type SignatureSource = ReadonlyTarget & Partial<GraphTarget>;

/** Options of {@link verifySignatures}. */
export interface VerifySignaturesOptions extends OperationOptions {
  /** The image, for messages. */
  readonly what: string;
  /** The most bytes of a manifest; 4 MiB unless given. */
  readonly maxManifestBytes?: number;
}

/** More signatures than this are not looked at. */
const maxSignatures = 100;
/** More manifests that may hold signatures are not fetched. */
const maxManifests = 1_000;
/** Longer lists of what is attached are not read: anybody who may attach something can make them longer. */
const maxReferrers = 10_000;
/** Types of what may hold signatures besides bundles; lists that name no type name that of the config. */
const signatureTypes: ReadonlySet<string> = new Set([
  "",
  simpleSigningType,
  "application/vnd.dev.cosign.artifact.sig.v1+json",
  mediaTypes.ociConfig,
  mediaTypes.ociEmpty,
]);

/**
 * Makes sure that an image is signed with a key: its manifest, or the index that names it. Signatures are looked for
 * under cosign's tag and among the referrers; one that is right is enough, whatever else is attached.
 *
 * @param contents - What may be signed.
 * @throws {@link ImageError} `OCI_SIGNATURE_MISSING`, `OCI_SIGNATURE_INVALID`; failures of the network pass unchanged.
 */
export async function verifySignatures(
  source: SignatureSource,
  contents: readonly SignedContent[],
  key: VerificationKey,
  options: VerifySignaturesOptions,
): Promise<void> {
  const reasons: string[] = [];
  let manifests = 0;
  for (const content of contents) {
    for await (const manifest of findSignatures(source, content, options)) {
      if (++manifests > maxManifests) throw tooMany(options.what, maxManifests);
      for await (const verdict of judgeManifest(source, manifest, content, key, options)) {
        if (verdict === undefined) return;
        reasons.push(`${manifest.digest}: ${verdict}`);
        if (reasons.length >= maxSignatures) throw invalid(options.what, reasons);
      }
    }
  }
  throw reasons.length === 0 ? missing(options.what) : invalid(options.what, reasons);
}

/** The manifests that may hold signatures of some content. */
async function* findSignatures(
  source: SignatureSource,
  { digest, bytes }: SignedContent,
  options: VerifySignaturesOptions,
): AsyncGenerator<Descriptor, void, undefined> {
  const tag = `${digestAlgorithm(digest)}-${digestHex(digest)}.sig`;
  const tagged = await source.resolve(tag, options).catch(ignoreAbsent);
  if (tagged !== undefined) yield tagged;
  const subject = {
    mediaType: parseManifest(bytes, { maxBytes: bytes.byteLength }).mediaType,
    digest,
    size: bytes.byteLength,
  };
  let listed = 0;
  for await (const referrer of source.predecessors?.(subject, options) ?? []) {
    if (++listed > maxReferrers) throw tooMany(options.what, maxReferrers);
    if (referrer.digest !== tagged?.digest && maySign(referrer)) yield referrer;
  }
}

/** Tells by its entry of a list whether an artifact may hold signatures, so that no other one is fetched. */
function maySign({ artifactType = "" }: Descriptor): boolean {
  return signatureTypes.has(artifactType) || isBundleType(artifactType);
}

/** Judges every signature of a manifest; what holds none is passed over. */
async function* judgeManifest(
  source: SignatureSource,
  descriptor: Descriptor,
  content: SignedContent,
  key: VerificationKey,
  options: FetchManifestOptions,
): AsyncGenerator<SignatureVerdict, void, undefined> {
  if (!isManifestType(descriptor.mediaType)) return;
  const layers = await layersOf(source, descriptor, options).catch(reasonOf);
  if (typeof layers === "string") return yield layers;
  for (const layer of layers) {
    const isSimple = layer.mediaType === simpleSigningType;
    if (!isSimple && !isBundleType(layer.mediaType)) continue;
    const maxBytes = isSimple ? maxPayloadBytes : maxBundleBytes;
    if (layer.size > maxBytes) {
      yield "it is too large";
      continue;
    }
    const signed = await readLayer(source, layer, maxBytes, options).catch(reasonOf);
    if (typeof signed === "string") yield signed;
    else {
      yield isSimple
        ? judgeSimpleSigning(signed, layer.annotations?.[signatureAnnotation], content, key)
        : await judgeBundle(signed, content, key);
    }
  }
}

async function layersOf(
  source: SignatureSource,
  descriptor: Descriptor,
  options: FetchManifestOptions,
): Promise<readonly Descriptor[]> {
  const bytes = await fetchManifestBytes(source, descriptor, options);
  const what = `signature ${descriptor.digest}`;
  const document = parseManifest(bytes, { what, maxBytes: bytes.byteLength });
  return document.type === "manifest" ? document.manifest.layers : [];
}

async function readLayer(
  source: SignatureSource,
  layer: Descriptor,
  maxBytes: number,
  options: OperationOptions,
): Promise<Uint8Array> {
  const chunks = await source.fetch(layer, options);
  return readAll(chunks, maxBytes, `signature ${layer.digest}`);
}

/** What is absent, damaged or malformed is no right signature; what could not be asked for may be one. */
function reasonOf(error: unknown): string {
  if (isBoxError(error) && error.code.startsWith("OCI_")) return error.message;
  throw error;
}

function ignoreAbsent(error: unknown): undefined {
  if (isBoxError(error) && error.code === "OCI_NOT_FOUND") return undefined;
  throw error;
}

function missing(what: string): ImageError {
  return new ImageError({
    code: "OCI_SIGNATURE_MISSING",
    message: `cannot use ${what}: it is not signed`,
    details: { reference: what },
    hint: "sign it with cosign sign --key, or pull it without a verification key",
  });
}

function tooMany(what: string, limit: number): OrasError {
  return new OrasError({
    code: "OCI_TOO_LARGE",
    message: `cannot verify ${what}: more than ${limit} artifacts are attached to it`,
    details: { reference: what, limit },
  });
}

function invalid(what: string, reasons: readonly string[]): ImageError {
  const shown = reasons.slice(0, 3).join("; ");
  return new ImageError({
    code: "OCI_SIGNATURE_INVALID",
    message: `cannot use ${what}: none of its ${reasons.length} signatures is by the given key: ${shown}`,
    details: { reference: what, reasons },
    hint: "check that the key is that of the publisher; if it is, do not trust the image",
  });
}
