import { type Digest, digestAlgorithm, isDigest } from "../content/digest.ts";
import { wrongDigest } from "../content/verify.ts";
import type { RegistryResponse } from "../transport/response.ts";

/**
 * Refuses a registry's word that it stored something else than what was sent. A digest of another algorithm tells
 * nothing, and none need be told.
 *
 * @throws OrasError `OCI_DIGEST_MISMATCH`.
 */
export function checkStored(response: RegistryResponse, digest: Digest): void {
  const stored = response.header("docker-content-digest") ?? "";
  if (!isDigest(stored) || digestAlgorithm(stored) !== digestAlgorithm(digest)) return;
  if (stored !== digest) throw wrongDigest(digest, stored);
}
