import {
  Misfit,
  readCount,
  readField,
  readFields,
  readList,
  readMap,
  readOptionalField,
  readText,
} from "../json/read-value.ts";
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

/** Reads annotations of descriptors, manifests and indexes. @throws Misfit. */
export const readAnnotations: (value: unknown) => Record<string, string> = readMap(readText());

/** Reads a digest in JSON. @throws Misfit. */
export function readDigest(value: unknown): Digest {
  if (typeof value === "string" && isDigest(value)) return value;
  throw new Misfit("expected a sha256, sha384 or sha512 digest");
}

/** Reads a descriptor in JSON; unknown fields are kept. @throws Misfit. */
export function readDescriptor(value: unknown): Descriptor {
  const fields = readFields(withoutNulls(value));
  const mediaType = knownType(readField(fields, "mediaType", readText({ min: 1, max: 255 })));
  readField(fields, "digest", readDigest);
  readField(fields, "size", readCount);
  readOptionalField(fields, "urls", readList(readText({ max: 4096 }), 100));
  readOptionalField(fields, "annotations", readAnnotations);
  readOptionalField(fields, "artifactType", readText({ max: 255 }));
  readOptionalField(fields, "platform", readPlatform);
  readOptionalField(fields, "data", readText());
  return { ...fields, mediaType } as Descriptor;
}

/** The type of a manifest without parameters, by which nobody knows it; any other one as it is. */
function knownType(mediaType: string): string {
  const bare = bareMediaType(mediaType);
  return hasSuccessors(bare) ? bare : mediaType;
}

function readPlatform(value: unknown): Platform {
  const fields = readFields(value);
  const text = readText({ max: 255 });
  readField(fields, "architecture", text);
  readField(fields, "os", text);
  readOptionalField(fields, "os.version", text);
  readOptionalField(fields, "os.features", readList(text, 100));
  readOptionalField(fields, "variant", text);
  return fields as unknown as Platform;
}

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
