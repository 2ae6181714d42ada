import type { CredentialProvider, Digest, ReadonlyTarget, RegistryClientOptions } from "@box/oras";
import type { ImageLimits } from "../image/image.ts";

/** Something that one image is read from. */
export interface ImageSource extends AsyncDisposable {
  /** Where the image's content comes from. */
  readonly target: ReadonlyTarget;
  /** The tag or digest to ask the target for; nothing for the only image of a layout. */
  readonly selector: string | undefined;
  /** The full name under which the store keeps the image. */
  readonly name: string;
  /** Whether asking again is cheap and local. */
  readonly isLocal: boolean;
  /** The digest that the reference pins: no other image is taken. */
  readonly pinned: Digest | undefined;
}

/** How registries are reached; a function is asked when one is. */
export type RegistrySettings = RegistryClientOptions | (() => Promise<RegistryClientOptions>);

/** Options of a registry client. */
export interface OpenClientOptions {
  /** Options of the registry client. */
  readonly registry?: RegistrySettings;
  /** How large images may be; for the client too, unless `registry` says otherwise. */
  readonly limits?: Partial<ImageLimits>;
  /** Finds credentials; overrides those of `registry`. */
  readonly credentials?: CredentialProvider;
  /** Hosts that may be reached over plain HTTP. */
  readonly insecureHosts?: readonly string[];
  /** Told about each failure that is tried again. */
  readonly onRetry?: RegistryClientOptions["onRetry"];
}
