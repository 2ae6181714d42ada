import { type Descriptor, describe, emptyDescriptor, emptyJson } from "./descriptor.ts";
import { mediaTypes } from "./media-types.ts";
import { bytesSource, type Pusher, type StoreOptions } from "./target.ts";

/** What an artifact is made of. */
export interface PackOptions extends StoreOptions {
  /** What it is, as a media type. */
  readonly artifactType: string;
  /** Its config, which is there already; the empty one unless given. */
  readonly config?: Descriptor;
  /** Its blobs, which are there already; the empty one when there are none. */
  readonly layers?: readonly Descriptor[];
  /** What it is about. */
  readonly subject?: Descriptor;
  /** Free-form facts. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Makes an artifact's manifest and pushes it, by the image specification's guidelines for artifacts. The same options
 * give the same bytes.
 *
 * @returns The manifest's descriptor, with its artifact type and annotations.
 */
export async function pack(target: Pusher, options: PackOptions): Promise<Descriptor> {
  const { artifactType, config, subject, annotations } = options;
  const layers = options.layers?.length ? options.layers : [emptyDescriptor];
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: config ?? emptyDescriptor,
    layers,
    ...(subject === undefined ? {} : { subject: plain(subject) }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  const descriptor = describe(mediaTypes.ociManifest, bytes);
  await options.lease?.add([descriptor, manifest.config, ...layers], options);
  if (config === undefined || layers.includes(emptyDescriptor)) {
    await target.push(emptyDescriptor, bytesSource(emptyJson), options);
  }
  await target.push(descriptor, bytesSource(bytes), options);
  return { ...descriptor, artifactType, ...(annotations === undefined ? {} : { annotations }) };
}

/** Attaches an artifact to content: {@link pack} with a subject. */
export async function attach(
  target: Pusher,
  subject: Descriptor,
  options: PackOptions,
): Promise<Descriptor> {
  return pack(target, { ...options, subject });
}

function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
