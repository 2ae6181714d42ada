import { resolve } from "node:path";
import {
  type CredentialProvider,
  type Digest,
  OciLayout,
  type OperationOptions,
  openRepository,
  pinnedDigest,
  type ReadonlyTarget,
  RegistryClient,
  type RegistryClientOptions,
} from "@box/oras";
import { defaultImageLimits, type ImageLimits } from "../image/image.ts";
import { formatImageReference, type ImageReference } from "../reference/image-reference.ts";

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

/** Options of {@link openSource}. */
export interface OpenSourceOptions extends OperationOptions, OpenClientOptions {
  /** A folder for what is unpacked from archives. */
  readonly folder: string;
}

/** How registries are reached; a function is asked when one is. */
export type RegistrySettings = RegistryClientOptions | (() => Promise<RegistryClientOptions>);

/** Options of {@link createClient}. */
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

/**
 * Opens what a reference names.
 *
 * @throws OrasError `OCI_ARCHIVE_CORRUPT`, `OCI_LAYOUT_MISSING` and their like.
 */
export async function openSource(
  reference: ImageReference,
  options: OpenSourceOptions,
): Promise<ImageSource> {
  switch (reference.type) {
    case "registry":
      return registrySource(reference, options);
    case "oci":
      return layoutSource(reference, options);
    default:
      return archiveSource(reference, options);
  }
}

async function archiveSource(
  reference: ImageReference & { type: "oci-archive" | "docker-archive" },
  options: OpenSourceOptions,
): Promise<ImageSource> {
  const { chooseArchived, openArchive } = await import("../archive/open-archive.ts");
  const path = resolve(reference.path);
  const opened = await openArchive(path, options);
  const { target } = opened;
  const image = await chooseArchived(target, { ...reference, path }).catch(async (error) => {
    await opened[Symbol.asyncDispose]();
    throw error;
  });
  return {
    target,
    selector: image.digest,
    name: formatImageReference({ ...reference, path }),
    isLocal: true,
    pinned: pinnedDigest(reference.tag ?? ""),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** A client by the options of a call. */
export async function createClient(options: OpenClientOptions): Promise<RegistryClient> {
  const { credentials, insecureHosts = [], onRetry } = options;
  const { maxManifestBytes } = { ...defaultImageLimits, ...options.limits };
  const registry =
    typeof options.registry === "function" ? await options.registry() : (options.registry ?? {});
  const insecure = insecureHosts.map((host) => [
    host,
    { ...registry.hosts?.[host], scheme: "http" as const },
  ]);
  return new RegistryClient({
    ...registry,
    hosts: { ...registry.hosts, ...Object.fromEntries(insecure) },
    limits: { maxManifestBytes, ...registry.limits },
    ...(credentials === undefined ? {} : { credentials }),
    ...(onRetry === undefined ? {} : { onRetry }),
  });
}

async function registrySource(
  reference: ImageReference & { type: "registry" },
  options: OpenSourceOptions,
): Promise<ImageSource> {
  const client = await createClient(options);
  return {
    target: openRepository(client, reference.host, reference.repository),
    selector: reference.digest ?? reference.tag ?? "latest",
    name: formatImageReference(reference),
    isLocal: false,
    pinned: reference.digest,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function layoutSource(
  reference: ImageReference & { type: "oci" },
  { limits = {} }: OpenSourceOptions,
): Promise<ImageSource> {
  const target = await OciLayout.open(reference.path, { limits });
  return {
    target,
    selector: reference.digest ?? reference.tag,
    name: formatImageReference({ ...reference, path: target.directory }),
    isLocal: true,
    pinned: reference.digest,
    [Symbol.asyncDispose]: async () => {},
  };
}
