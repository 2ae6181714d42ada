import { type ErrorKind, isBoxError, kindOf } from "@box/errors";
import type { Image, ImageStore } from "@box/oci-images";
import { type Digest, OrasError } from "@box/oras";
import type { Reporter } from "./image-source.ts";

/**
 * Takes damaged layers of a stored image away, each under its lock and only when it was read and is not what its digest
 * says, and fetches the image again.
 *
 * @param reference - What it was asked for by.
 * @param pull - Fetches what is not there.
 * @throws OrasError `OCI_DIGEST_MISMATCH` when nothing gives them again; IoError.
 */
export async function mendImage(
  store: ImageStore,
  image: Image,
  reference: string,
  reporter: Pick<Reporter, "signal" | "warn">,
  pull: () => Promise<Image>,
): Promise<Image> {
  const { signal } = reporter;
  const gone: Digest[] = [];
  for (const digest of new Set(image.layers.map(({ descriptor }) => descriptor.digest))) {
    if (!(await takeAway(store, digest, signal))) continue;
    gone.push(digest);
    const message = `layer ${digest} was damaged in the store: it is taken away and fetched again`;
    reporter.warn({ code: "OCI_DIGEST_MISMATCH", message, details: { digest } });
  }
  // Where nothing is damaged by now, somebody else has begun to mend it: the pull waits for that.
  try {
    return await pull();
  } catch (error) {
    if (!sourceKinds.has(kindOf(error))) throw error;
    throw notFetched(reference, gone, error);
  }
}

/** @returns Whether it was damaged. */
async function takeAway(store: ImageStore, digest: Digest, signal: AbortSignal): Promise<boolean> {
  try {
    return await store.layout.removeRotten(digest, { signal });
  } catch (error) {
    const isForbidden = isBoxError(error) && forbidden.has(error.details["errno"]);
    throw isForbidden ? notTakenAway(digest, error) : error;
  }
}

/** What the system says where a store may only be read. */
const forbidden: ReadonlySet<unknown> = new Set(["EACCES", "EPERM", "EROFS"]);

function notTakenAway(digest: Digest, cause: Error): OrasError {
  return new OrasError({
    code: "OCI_DIGEST_MISMATCH",
    message: `layer ${digest} is damaged in the store, which cannot be changed: ${cause.message}`,
    details: { digest },
    hint: "let the home be written to and try again: the layer is fetched again then",
    cause,
  });
}

/** Kinds of failures of a source; what is wrong here is told as it is. */
const sourceKinds: ReadonlySet<ErrorKind> = new Set([
  "auth",
  "conflict",
  "corrupt",
  "denied",
  "network",
  "not-found",
  "timeout",
]);

function notFetched(reference: string, gone: readonly Digest[], cause: unknown): OrasError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new OrasError({
    code: "OCI_DIGEST_MISMATCH",
    message: `cannot fetch layers of ${reference} again that were damaged in the store: ${why}`,
    details: { reference, digests: gone },
    hint: `the damaged layers were taken away: make the source reachable, run "box pull ${reference}", and try again`,
    cause,
  });
}
