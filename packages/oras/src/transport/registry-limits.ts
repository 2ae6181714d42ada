import { maxManifestBytes } from "../content/manifest.ts";

/** How much is read of what a registry says. What exceeds a limit fails with `OCI_TOO_LARGE`, but for pages. */
export interface RegistryLimits {
  /** The most bytes of a manifest; 4 MiB unless given. */
  readonly maxManifestBytes: number;
  /** The most bytes of a token server's reply; 128 KiB unless given. */
  readonly maxTokenBytes: number;
  /** The most bytes of a reply that reports an error; 64 KiB unless given. The status of a longer one still counts. */
  readonly maxErrorBodyBytes: number;
  /** The most bytes of one page of a listing; 4 MiB unless given. */
  readonly maxPageBytes: number;
  /** The most pages of a listing; 10,000 unless given. One with more fails with `ORAS_BAD_RESPONSE`. */
  readonly maxPages: number;
}

/** What {@link RegistryLimits} are unless given. */
export const defaultRegistryLimits: RegistryLimits = {
  maxManifestBytes,
  maxTokenBytes: 128 * 1024,
  maxErrorBodyBytes: 64 * 1024,
  maxPageBytes: 4 * 1024 * 1024,
  maxPages: 10_000,
};
