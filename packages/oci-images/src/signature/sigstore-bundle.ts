import { digestHex, digestOf, parseJson } from "@box/oras";
import * as z from "zod";
import type { SignatureVerdict, SignedContent } from "./signed-content.ts";
import type { VerificationKey } from "./verification-key.ts";

/** The most bytes of a bundle. */
export const maxBundleBytes: number = 1024 * 1024;

/** What a statement must claim to count as a signature; others are reports about the image. */
const signPredicate = "https://sigstore.dev/cosign/sign/v1";
/** Algorithms of digests by their length in bytes. */
const algorithms: ReadonlyMap<number, "sha256" | "sha384" | "sha512"> = new Map([
  [32, "sha256"],
  [48, "sha384"],
  [64, "sha512"],
]);
const statementType = "application/vnd.in-toto+json";

const statementSchema = z.looseObject({
  predicateType: z.string(),
  subject: z.array(z.looseObject({ digest: z.record(z.string(), z.string()) })).max(1000),
});

/** Tells whether a media type is that of a sigstore bundle, of any version. */
export function isBundleType(mediaType: string | undefined): boolean {
  return mediaType?.startsWith("application/vnd.dev.sigstore.bundle") === true;
}

/**
 * Judges a sigstore bundle: a signature of the manifest's bytes, or of a statement about its digest. Only the given
 * key counts: entries of transparency logs and time stamps are not looked at.
 */
export async function judgeBundle(
  bytes: Uint8Array,
  content: SignedContent,
  key: VerificationKey,
): Promise<SignatureVerdict> {
  const [{ bundleFromJSON }, { toSignedEntity, VerificationError, Verifier }] = await Promise.all([
    import("@sigstore/bundle"),
    import("@sigstore/verify"),
  ]);
  try {
    const json = parseJson(bytes, { what: "the bundle", maxBytes: maxBundleBytes });
    const bundle = bundleFromJSON(json);
    const isKeyed = bundle.verificationMaterial.content.$case === "publicKey";
    if (!isKeyed) return "it is by a certificate, not by a key";
    const nothing = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] };
    const publicKey = () => ({ publicKey: key.key, validFor: () => true });
    const thresholds = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
    const verifier = new Verifier({ ...nothing, publicKey }, thresholds);
    const entity = toSignedEntity(bundle, Buffer.from(content.bytes));
    verifier.verify({ ...entity, tlogEntries: [], timestamps: [] });
    if (bundle.content.$case === "messageSignature") {
      return judgeDigest(bundle.content.messageSignature.messageDigest?.digest, content);
    }
    const { payload, payloadType } = bundle.content.dsseEnvelope;
    return judgeStatement(payload, payloadType, content);
  } catch (error) {
    // Nothing is read here: whatever else is thrown is about the bundle's content.
    return error instanceof VerificationError ? "it is of another key" : "it is malformed";
  }
}

/** A digest that a bundle names is that of what it signs. */
function judgeDigest(named: Uint8Array | undefined, { bytes }: SignedContent): SignatureVerdict {
  if (named === undefined || named.byteLength === 0) return undefined;
  const algorithm = algorithms.get(named.byteLength);
  const hex = Buffer.from(named).toString("hex");
  return algorithm !== undefined && digestHex(digestOf(bytes, algorithm)) === hex
    ? undefined
    : "it is of another image";
}

function judgeStatement(
  payload: Uint8Array,
  payloadType: string,
  content: SignedContent,
): SignatureVerdict {
  if (payloadType !== statementType) return "what it signs is no statement";
  const value = parseJson(payload, { what: "the statement", maxBytes: maxBundleBytes });
  const parsed = statementSchema.safeParse(value);
  if (!parsed.success) return "what it signs is malformed";
  const { predicateType, subject } = parsed.data;
  if (predicateType !== signPredicate)
    return `it is a report of type ${predicateType.slice(0, 200)}`;
  const [algorithm = "", hex = ""] = content.digest.split(":");
  const isMeant = subject.some(
    ({ digest }) => Object.hasOwn(digest, algorithm) && digest[algorithm] === hex,
  );
  return isMeant ? undefined : "it is of another image";
}
