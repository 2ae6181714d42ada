import { BoxError, type ErrorKind } from "@box/errors";

/** Why an operation on images failed; what `@box/oras` throws passes through unchanged. */
export type ImageErrorCode =
  | "OCI_IMAGE_NOT_FOUND" // not-found
  | "OCI_NO_PLATFORM_MATCH" // not-found
  | "OCI_INVALID_PLATFORM" // invalid-argument
  | "OCI_NOT_AN_IMAGE" // unsupported
  | "OCI_COMPRESSION_UNSUPPORTED" // unsupported
  | "OCI_INVALID_CONFIG" // corrupt
  | "OCI_LAYER_CORRUPT" // corrupt
  | "OCI_DIFF_ID_MISMATCH" // corrupt
  | "OCI_IMAGE_INCOMPLETE" // corrupt
  | "OCI_LAYER_TOO_LARGE" // limit
  | "OCI_TOO_MANY_LAYERS" // limit
  | "OCI_INDEX_TOO_DEEP" // limit
  | "OCI_INVALID_KEY" // invalid-argument
  | "OCI_SIGNATURE_MISSING" // denied
  | "OCI_SIGNATURE_INVALID" // denied
  | "OCI_FOREIGN_LAYER" // denied
  | "OCI_ENCRYPTED_LAYER"; // encrypted

/** The kind of each code. */
export const imageErrorKinds: Readonly<Record<ImageErrorCode, ErrorKind>> = {
  OCI_IMAGE_NOT_FOUND: "not-found",
  OCI_NO_PLATFORM_MATCH: "not-found",
  OCI_INVALID_PLATFORM: "invalid-argument",
  OCI_NOT_AN_IMAGE: "unsupported",
  OCI_COMPRESSION_UNSUPPORTED: "unsupported",
  OCI_INVALID_CONFIG: "corrupt",
  OCI_LAYER_CORRUPT: "corrupt",
  OCI_DIFF_ID_MISMATCH: "corrupt",
  OCI_IMAGE_INCOMPLETE: "corrupt",
  OCI_LAYER_TOO_LARGE: "limit",
  OCI_TOO_MANY_LAYERS: "limit",
  OCI_INDEX_TOO_DEEP: "limit",
  OCI_INVALID_KEY: "invalid-argument",
  OCI_SIGNATURE_MISSING: "denied",
  OCI_SIGNATURE_INVALID: "denied",
  OCI_FOREIGN_LAYER: "denied",
  OCI_ENCRYPTED_LAYER: "encrypted",
};

/** What an {@link ImageError} is made from. */
export interface ImageErrorOptions {
  /** The failure's stable name. */
  readonly code: ImageErrorCode;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts: `reference`, `digest`, `platform`, `available`, sizes. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What to do next. */
  readonly hint?: string;
  /** The lower-level error. */
  readonly cause?: unknown;
}

/** An operation on images that failed. */
export class ImageError extends BoxError<ImageErrorCode> {
  constructor(options: ImageErrorOptions) {
    super({ ...options, kind: imageErrorKinds[options.code] });
  }
}
