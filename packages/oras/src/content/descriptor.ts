import * as z from "zod";
import { type Digest, digestOf, isDigest } from "./digest.ts";
import { bareMediaType, hasSuccessors, mediaTypes } from "./media-types.ts";

/** What an image runs on, as an index or an image config names it. */
export interface Platform {
  /** CPU, in Go's words: `amd64`, `arm64`. */
  readonly architecture: string;
  /** Operating system, in Go's words: `linux`. */
  readonly os: string;
  /** Version of the operating system; Windows images have one. */
  readonly "os.version"?: string;
  /** Required features of the operating system. */
  readonly "os.features"?: readonly string[];
  /** Variant of the CPU, such as `v7`. */
  readonly variant?: string;
}

/** Names content by digest, size and type. Reading through it verifies both. */
export interface Descriptor {
  /** What the content is. */
  readonly mediaType: string;
  /** Its address. */
  readonly digest: Digest;
  /** Its size in bytes. */
  readonly size: number;
  /** Other places to find it; never used unless a caller does so itself. */
  readonly urls?: readonly string[];
  /** Free-form facts. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** What the content's manifest says it is. */
  readonly artifactType?: string;
  /** What it runs on, in an index. */
  readonly platform?: Platform;
  /** The content itself in base64; verified before use. */
  readonly data?: string;
}

// Schemas here are made when they are first used: making them takes longer than reading a document with them.

/** Annotations of descriptors, manifests and indexes. */
export const annotationsSchema: z.ZodType<Record<string, string>> = z.lazy(() =>
  z.record(z.string(), z.string()),
);

/** A digest in JSON. */
export const digestSchema: z.ZodType<Digest> = z.custom<Digest>(
  (value) => typeof value === "string" && isDigest(value),
  "expected a sha256, sha384 or sha512 digest",
);

/** A descriptor in JSON; unknown fields are kept. */
export const descriptorSchema: z.ZodType<Descriptor> = z.lazy(() =>
  z.preprocess(
    withoutNulls,
    z.looseObject({
      mediaType: z.string().min(1).max(255).transform(knownType),
      digest: digestSchema,
      size: z.int().nonnegative(),
      urls: z.array(z.string().max(4096)).max(100).exactOptional(),
      annotations: annotationsSchema.exactOptional(),
      artifactType: z.string().max(255).exactOptional(),
      platform: platformSchema.exactOptional(),
      data: z.string().exactOptional(),
    }),
  ),
);

/** The type of a manifest without parameters, by which nobody knows it; any other one as it is. */
function knownType(mediaType: string): string {
  const bare = bareMediaType(mediaType);
  return hasSuccessors(bare) ? bare : mediaType;
}

const platformSchema: z.ZodType<Platform> = z.lazy(() => {
  const text = z.string().max(255);
  return z.looseObject({
    architecture: text,
    os: text,
    "os.version": text.exactOptional(),
    "os.features": z.array(text).max(100).exactOptional(),
    variant: text.exactOptional(),
  });
});

/** A document without the fields that are null: programs in Go write that for empty lists and maps. */
export function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !Object.values(value).includes(null)) {
    return value;
  }
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== null));
}

/** Describes bytes in memory. */
export function describe(
  mediaType: string,
  bytes: Uint8Array,
  extra: Omit<Partial<Descriptor>, "mediaType" | "digest" | "size"> = {},
): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength, ...extra };
}

/** The content of the empty descriptor: `{}`. */
export const emptyJson: Uint8Array = new TextEncoder().encode("{}");

/** The descriptor that stands for no config; see the image specification, "Guidance for an Empty Descriptor". */
export const emptyDescriptor: Descriptor = describe(mediaTypes.ociEmpty, emptyJson);
