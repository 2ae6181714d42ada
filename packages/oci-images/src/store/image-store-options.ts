import type {
  CredentialProvider,
  Descriptor,
  Digest,
  OciLayoutOptions,
  OperationOptions,
  Platform,
} from "@box/oras";
import type { ImageLimits } from "../image/image.ts";
import type { LayerLimits } from "../layer/open-layer.ts";
import type { VerificationKey } from "../signature/verification-key.ts";
import type { PullEvent } from "./events.ts";
import type { RegistrySettings } from "./image-source.ts";

/** When a registry is asked: only for an image that is not there, each time, or not at all. */
export type PullPolicy = "missing" | "always" | "never";

/** Options of {@link ImageStore}. */
export interface ImageStoreOptions extends Pick<OciLayoutOptions, "fs"> {
  /** Options of the registry client: time-outs, retries, hosts. */
  readonly registry?: RegistrySettings;
  /** The platform of images unless a call names one; Linux on this machine's CPU unless given. */
  readonly platform?: Platform;
  /** Whether 32-bit images do for a 64-bit CPU. */
  readonly allow32Bit?: boolean;
  /** How large images and their documents may be; `registry.limits` has those of other replies of registries. */
  readonly limits?: Partial<ImageLimits>;
  /** How far layers may expand, and image archives that are compressed or come as a stream. */
  readonly layerLimits?: Partial<LayerLimits>;
}

/** Options of {@link ImageStore.pull}. */
export interface PullOptions extends OperationOptions {
  /** When the registry is asked; `missing` unless given. */
  readonly policy?: PullPolicy;
  /** The platform; the store's unless given. */
  readonly platform?: Platform;
  /** Hosts that may be reached over plain HTTP, besides loopback. */
  readonly insecureHosts?: readonly string[];
  /** Finds credentials for registries. */
  readonly credentials?: CredentialProvider;
  /** Options of the registry client: proxies, mirrors, certificates; the store's unless given. */
  readonly registry?: RegistrySettings;
  /**
   * A key that the image must be signed with, made by `parseVerificationKey`. Signatures are looked for at the source
   * each time, also for an image that is here; with the policy `never` nothing can be verified.
   */
  readonly verificationKey?: VerificationKey;
  /** How many layers are fetched at once; 4 unless given. */
  readonly concurrency?: number;
  /** Told what happens. */
  readonly onEvent?: (event: PullEvent) => void;
}

/** Options of {@link ImageStore.push}. */
export interface PushOptions extends Omit<PullOptions, "policy"> {}

/** Where an image was pushed to. */
export interface PushedImage {
  /** Its full name there. */
  readonly reference: string;
  /** What the name leads to. */
  readonly digest: Digest;
}

/** Options of {@link ImageStore.import}. */
export interface ImportOptions extends Pick<PullOptions, "signal" | "platform" | "onEvent"> {
  /** The name of the only image; the archive's own names unless given. */
  readonly name?: string;
}

/** Options of {@link ImageStore.get}. */
export interface GetImageOptions extends OperationOptions {
  /** The platform; the store's unless given. */
  readonly platform?: Platform;
}

/** An entry of the store. */
export interface StoredReference {
  /** The full name; nothing for an entry without one. */
  readonly reference: string | undefined;
  /** What it names: an index or a manifest. */
  readonly descriptor: Descriptor;
}
