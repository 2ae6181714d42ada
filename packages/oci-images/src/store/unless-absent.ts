import { isBoxError } from "@box/errors";
import { isDigest, type OciLayout } from "@box/oras";
import type { Image } from "../image/image.ts";

/** Failures of a local image that fetching heals. */
const absentCodes: ReadonlySet<string> = new Set([
  "OCI_IMAGE_NOT_FOUND",
  "OCI_IMAGE_INCOMPLETE",
  "OCI_NOT_FOUND",
  "OCI_NO_PLATFORM_MATCH",
  "OCI_DIGEST_MISMATCH",
  "OCI_SIZE_MISMATCH",
]);

/** An image that is there and whole; nothing otherwise, so that it is fetched. */
export async function unlessAbsent(
  layout: OciLayout,
  loading: Promise<Image>,
): Promise<Image | undefined> {
  try {
    return await loading;
  } catch (error) {
    if (!isBoxError(error) || !absentCodes.has(error.code)) throw error;
    // A manifest or config that rotted is taken away, else it would pass for stored.
    const damaged = error.code === "OCI_DIGEST_MISMATCH" ? error.details["digest"] : undefined;
    if (typeof damaged === "string" && isDigest(damaged)) await layout.removeRotten(damaged);
    return undefined;
  }
}
