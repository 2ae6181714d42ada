import { openRepository, RegistryClient } from "@box/oras";
import { defaultImageLimits } from "../image/image.ts";
import { formatImageReference, type ImageReference } from "../reference/image-reference.ts";
import type { ImageSource, OpenClientOptions } from "./image-source.ts";

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

/** An image of a registry. */
export async function registrySource(
  reference: ImageReference & { type: "registry" },
  options: OpenClientOptions,
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
