import { isBoxError } from "@box/errors";
import { type Digest, type OciLayout, type OperationOptions, verifyContent } from "@box/oras";

/** A blob that is not what its name says. */
export interface BlobFinding {
  /** Its name. */
  readonly digest: Digest;
  /** What is wrong, such as `OCI_DIGEST_MISMATCH`. */
  readonly code: string;
  /** The same for a person. */
  readonly message: string;
  /** Whether it was taken away, so that the next pull brings it again. */
  readonly isRemoved: boolean;
}

/** Options of `verifyBlobs`. */
export interface VerifyBlobsOptions extends OperationOptions {
  /** Takes damaged blobs away. */
  readonly repair?: boolean;
}

/** Hashes every blob. Damage is reported, not thrown; an I/O error is thrown. */
export async function verifyBlobs(
  layout: OciLayout,
  options: VerifyBlobsOptions = {},
): Promise<readonly BlobFinding[]> {
  const findings: BlobFinding[] = [];
  for await (const { digest, size } of layout.blobs()) {
    const descriptor = { mediaType: "application/octet-stream", digest, size };
    try {
      const chunks = await layout.fetch(descriptor, { signal: options.signal, verify: false });
      for await (const _chunk of verifyContent(chunks, descriptor));
    } catch (error) {
      if (!isBoxError(error) || error.kind !== "corrupt") throw error;
      const isRemoved = options.repair === true && (await layout.removeBlob(digest));
      findings.push({ digest, code: error.code, message: error.message, isRemoved });
    }
  }
  return findings;
}
