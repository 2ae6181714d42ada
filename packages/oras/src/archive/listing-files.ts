import type { Descriptor } from "../content/descriptor.ts";
import { digestHex } from "../content/digest.ts";
import { mediaTypes } from "../content/media-types.ts";
import { nameAnnotations, withoutNames } from "../layout/index-file.ts";
import type { WrittenEntry } from "./written-manifests.ts";

/** The path of a blob in an archive. */
export type BlobPath = (descriptor: Descriptor) => string;

/** Tells whether a name has the form that Docker knows images by: `NAME:TAG`. */
export function isDockerTag(name: string): boolean {
  return name.lastIndexOf(":") > Math.max(name.lastIndexOf("/"), 0);
}

/** `index.json` of a packed layout: an entry for each name. */
export function layoutIndex(entries: readonly WrittenEntry[]): string {
  const manifests = entries.flatMap(({ descriptor, names }) => {
    const nameless = withoutNames(descriptor);
    if (names.length === 0) return [nameless];
    return names.map((name) => ({
      ...nameless,
      annotations: { ...nameless.annotations, ...annotationsFor(name) },
    }));
  });
  return JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
}

/** `manifest.json`, by which Docker finds images. */
export function dockerListing(entries: readonly WrittenEntry[], pathOf: BlobPath): string {
  const images = entries.flatMap(({ image, names }) =>
    image === undefined
      ? []
      : [
          {
            Config: pathOf(image.config),
            RepoTags: names.filter(isDockerTag),
            Layers: image.layers.map(pathOf),
          },
        ],
  );
  return JSON.stringify(images);
}

/** `repositories`, the oldest index of tags: each leads to its image's topmost layer. */
export function repositoriesFile(entries: readonly WrittenEntry[]): string | undefined {
  const repositories = new Map<string, Record<string, string>>();
  for (const { image, names } of entries) {
    const top = image?.layers.at(-1);
    for (const name of names.filter(isDockerTag)) {
      if (top === undefined) continue;
      const colon = name.lastIndexOf(":");
      const tags = repositories.get(name.slice(0, colon)) ?? {};
      repositories.set(name.slice(0, colon), {
        ...tags,
        [name.slice(colon + 1)]: digestHex(top.digest),
      });
    }
  }
  return repositories.size === 0 ? undefined : JSON.stringify(Object.fromEntries(repositories));
}

/** The full name for containerd and Docker, and the tag alone for others. */
function annotationsFor(name: string): Readonly<Record<string, string>> {
  const isFull = isDockerTag(name);
  return {
    [nameAnnotations.reference]: isFull ? name.slice(name.lastIndexOf(":") + 1) : name,
    ...(isFull ? { [nameAnnotations.image]: name } : {}),
  };
}
