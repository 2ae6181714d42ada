import { arch } from "node:os";
import { knownBootstrapImage, parseGuestArchitecture } from "@box/guest";
import { splitEnvironment } from "@box/rootfs";
import type { SourceImage } from "./image-source.ts";

/** Node's names of CPUs that OCI images call something else. */
const ociNames: Readonly<Record<string, string>> = { x64: "amd64" };

/**
 * Box's own bootstrap image. Needs no network, has the same bytes on every machine, and is assembled in memory when its layers
 * are read.
 *
 * @param architecture - By its OCI name; this machine's unless given.
 * @throws GuestError `GUEST_ARCHITECTURE_UNKNOWN` (unsupported).
 */
export function bootstrapImage(architecture: string = ociNames[arch()] ?? arch()): SourceImage {
  const wanted = parseGuestArchitecture(architecture);
  const { digest, diffIds, environment, workingDirectory } = knownBootstrapImage(wanted);
  return {
    reference: "box's own bootstrap image",
    digest,
    config: {
      environment: splitEnvironment(environment),
      entrypoint: [],
      command: [],
      workingDirectory,
      user: "",
    },
    // They are not compressed: a diffID is the digest of a blob.
    layers: diffIds.map((diffId) => ({
      diffId,
      async *open() {
        const { assembleBootstrapImage } = await import("@box/guest");
        const blob = assembleBootstrapImage({ architecture: wanted }).blobs.get(diffId);
        if (blob === undefined) throw new Error(`the bootstrap image lacks its layer ${diffId}`);
        yield blob;
      },
    })),
  };
}
