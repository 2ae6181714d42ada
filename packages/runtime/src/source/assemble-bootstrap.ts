import { arch } from "node:os";
import type { SourceImage } from "./image-source.ts";

/** Node's names of CPUs that OCI images call something else. */
const ociNames: Readonly<Record<string, string>> = { x64: "amd64" };

/**
 * Assembles box's own bootstrap image in memory. Needs no network and gives the same bytes on every machine.
 *
 * @param architecture - By its OCI name; this machine's unless given.
 * @throws GuestError `GUEST_ARCHITECTURE_UNKNOWN` (unsupported).
 */
export async function assembleBootstrap(
  architecture: string = ociNames[arch()] ?? arch(),
): Promise<SourceImage> {
  const { assembleBootstrapImage, parseGuestArchitecture } = await import("@box/guest");
  const { splitEnvironment } = await import("@box/rootfs");
  const image = assembleBootstrapImage({ architecture: parseGuestArchitecture(architecture) });
  const manifest = readBlob<BootstrapManifest>(image.blobs, image.manifest.digest);
  const config = readBlob<BootstrapConfig>(image.blobs, manifest.config.digest);
  return {
    reference: "box's own bootstrap image",
    digest: image.manifest.digest,
    config: {
      environment: splitEnvironment(config.config.Env),
      entrypoint: [],
      command: [],
      workingDirectory: config.config.WorkingDir,
      user: "",
    },
    layers: manifest.layers.map(({ digest }, index) => ({
      diffId: config.rootfs.diff_ids[index] ?? digest,
      async *open() {
        yield blobOf(image.blobs, digest);
      },
    })),
  };
}

/** The parts of the assembled manifest that are read here. */
interface BootstrapManifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

/** The parts of the assembled config that are read here. */
interface BootstrapConfig {
  readonly config: { readonly Env: readonly string[]; readonly WorkingDir: string };
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

function readBlob<Value>(blobs: ReadonlyMap<string, Uint8Array>, digest: string): Value {
  return JSON.parse(new TextDecoder().decode(blobOf(blobs, digest))) as Value;
}

function blobOf(blobs: ReadonlyMap<string, Uint8Array>, digest: string): Uint8Array {
  const blob = blobs.get(digest);
  if (blob === undefined) throw new Error(`the bootstrap image lacks its blob ${digest}`);
  return blob;
}
