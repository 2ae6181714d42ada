import { isBoxError } from "@box/errors";
import { parseJson } from "@box/oras";
import * as z from "zod";
import type { SignatureVerdict, SignedContent } from "./signed-content.ts";
import type { VerificationKey } from "./verification-key.ts";

/** The media type of what is signed. */
export const simpleSigningType = "application/vnd.dev.cosign.simplesigning.v1+json";
/** The annotation that holds the signature in base64. */
export const signatureAnnotation = "dev.cosignproject.cosign/signature";

/** The most bytes of a payload. */
export const maxPayloadBytes: number = 256 * 1024;

const payloadSchema = z.looseObject({
  critical: z.looseObject({
    type: z.literal("cosign container image signature"),
    image: z.looseObject({ "docker-manifest-digest": z.string() }),
  }),
});

/** Judges a classic signature of cosign: of a small document that names the image's digest. */
export function judgeSimpleSigning(
  payload: Uint8Array,
  signature: string | undefined,
  content: SignedContent,
  key: VerificationKey,
): SignatureVerdict {
  if (signature === undefined) return "it holds no signature";
  // The signature first: what nobody signed is not worth parsing.
  if (!key.verify(payload, Buffer.from(signature, "base64"))) return "it is of another key";
  try {
    const value = parseJson(payload, { what: "the signed document", maxBytes: maxPayloadBytes });
    const parsed = payloadSchema.safeParse(value);
    if (!parsed.success) return "what it signs is no image";
    const { image } = parsed.data.critical;
    return image["docker-manifest-digest"] === content.digest
      ? undefined
      : "it is of another image";
  } catch (error) {
    if (isBoxError(error)) return "what it signs is malformed";
    throw error;
  }
}
