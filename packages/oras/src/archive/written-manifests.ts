import type { Descriptor } from "../content/descriptor.ts";
import type { Digest } from "../content/digest.ts";
import { type Manifest, parseManifest, successorsOf } from "../content/manifest.ts";
import { mediaTypes } from "../content/media-types.ts";

/** A manifest of an archive that is being written, and what it is called there. */
export interface WrittenEntry {
  /** The manifest or index. */
  readonly descriptor: Descriptor;
  /** Its names. */
  readonly names: readonly string[];
  /** The manifest of an image; nothing for an index or an artifact. */
  readonly image: Manifest | undefined;
}

interface WrittenManifest {
  readonly descriptor: Descriptor;
  readonly image: Manifest | undefined;
  readonly hasSubject: boolean;
}

const imageConfigs: ReadonlySet<string> = new Set([mediaTypes.ociConfig, mediaTypes.dockerConfig]);

/** Remembers the manifests of an archive and their names, for the files at its end that list them. */
export class WrittenManifests {
  readonly #manifests: Map<Digest, WrittenManifest> = new Map();
  readonly #children: Set<Digest> = new Set();
  readonly #names: Map<string, Descriptor> = new Map();

  /** Takes in a manifest. @returns Whether it is that of an image. */
  add(descriptor: Descriptor, bytes: Uint8Array): boolean {
    const { mediaType, digest } = descriptor;
    const document = parseManifest(bytes, { what: digest, mediaType, maxBytes: bytes.byteLength });
    const { subject } = document.type === "manifest" ? document.manifest : document.index;
    for (const child of successorsOf(document)) {
      if (child !== subject) this.#children.add(child.digest);
    }
    const isImage =
      document.type === "manifest" && imageConfigs.has(document.manifest.config.mediaType);
    this.#manifests.set(digest, {
      descriptor,
      image: isImage ? document.manifest : undefined,
      hasSubject: subject !== undefined,
    });
    return isImage;
  }

  /** Whether a manifest is there. */
  has(digest: Digest): boolean {
    return this.#manifests.has(digest);
  }

  /** Lets a name mean a manifest; a name in use moves. */
  name(descriptor: Descriptor, name: string): void {
    this.#names.set(name, descriptor);
  }

  /**
   * What an index of the archive lists, in the order it came: what has a name, and what has none and could not be found
   * otherwise, because nothing refers to it and it refers to no subject.
   */
  entries(): readonly WrittenEntry[] {
    return [...this.#manifests.values()].flatMap(({ descriptor, image, hasSubject }) => {
      const { digest } = descriptor;
      const named = [...this.#names].filter(([, one]) => one.digest === digest);
      if (named.length === 0 && (hasSubject || this.#children.has(digest))) return [];
      const described = named.at(-1)?.[1] ?? descriptor;
      return [{ descriptor: described, names: named.map(([name]) => name), image }];
    });
  }
}
