import type { GuestArchitecture } from "./architecture.ts";

/** What is known of a bootstrap image before it is assembled: it has the same bytes on every machine. */
export interface KnownBootstrapImage {
  /** Digest of its manifest. */
  readonly digest: string;
  /** Digests of its uncompressed layers, lowest first. */
  readonly diffIds: readonly string[];
  /** The environment that its config names. */
  readonly environment: readonly string[];
  /** The folder that its config names. */
  readonly workingDirectory: string;
}

const digests: Readonly<Record<GuestArchitecture, string>> = {
  amd64: "sha256:a4c9bfd1c11ed792ee67a94da2a81eb0f390fffe8a687a096976deed4bb82af4",
  arm64: "sha256:a3de7eb1da056040f4053f6d24533910eecc556d7ee7e289cdea167e8ab13281",
};

/** The environment of everything that runs in the guest's own system. */
export const bootstrapEnvironment: readonly string[] = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
];

/**
 * Tells what `assembleBootstrapImage` would make, without making it: most boxes are made on a disk that was made of it before.
 */
export function knownBootstrapImage(architecture: GuestArchitecture): KnownBootstrapImage {
  return {
    digest: digests[architecture],
    diffIds: ["sha256:32a0607de7ea73cc53b19a2405e8aa6b3cc4cb120cf1a93a93ac2a3e1be59e54"],
    environment: bootstrapEnvironment,
    workingDirectory: "/",
  };
}
