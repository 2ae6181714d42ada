import {
  type CredentialProvider,
  type Digest,
  OciLayout,
  type ReadonlyTarget,
  RegistryClient,
  type RegistryClientOptions,
  RemoteRepository,
} from "@box/oras";
import { ImageError } from "../errors.ts";
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
  /** The digest that the reference pins. */
  readonly pinned: Digest | undefined;
}

/** Options of {@link openSource}. */
export interface OpenSourceOptions {
  /** Options of the registry client. */
  readonly registry?: RegistryClientOptions;
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
 * @throws {@link ImageError} `OCI_ARCHIVE_UNSUPPORTED`; OrasError `OCI_LAYOUT_MISSING` and its like.
 */
export async function openSource(
  reference: ImageReference,
  options: OpenSourceOptions,
): Promise<ImageSource> {
  switch (reference.type) {
    case "registry":
      return registrySource(reference, options);
    case "oci":
      return layoutSource(reference);
    default:
      throw new ImageError({
        code: "OCI_ARCHIVE_UNSUPPORTED",
        message: `cannot read ${formatImageReference(reference)}: archives are not supported yet`,
        hint: "unpack the archive into an image layout and use oci:DIR",
      });
  }
}

function registrySource(
  reference: ImageReference & { type: "registry" },
  options: OpenSourceOptions,
): ImageSource {
  const { registry = {}, credentials, insecureHosts = [], onRetry } = options;
  const insecure = insecureHosts.map((host) => [host, { scheme: "http" as const }]);
  const client = new RegistryClient({
    ...registry,
    hosts: { ...registry.hosts, ...Object.fromEntries(insecure) },
    ...(credentials === undefined ? {} : { credentials }),
    ...(onRetry === undefined ? {} : { onRetry }),
  });
  return {
    target: new RemoteRepository(client, reference.host, reference.repository),
    selector: reference.digest ?? reference.tag ?? "latest",
    name: formatImageReference(reference),
    isLocal: false,
    pinned: reference.digest,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function layoutSource(reference: ImageReference & { type: "oci" }): Promise<ImageSource> {
  const target = await OciLayout.open(reference.path);
  return {
    target,
    selector: reference.digest ?? reference.tag,
    name: formatImageReference({ ...reference, path: target.directory }),
    isLocal: true,
    pinned: reference.digest,
    [Symbol.asyncDispose]: async () => {},
  };
}
