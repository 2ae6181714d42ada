import { BoxError, type ErrorKind } from "@box/errors";

/** Why an operation on OCI content (`OCI_*`) or on a registry (`ORAS_*`) failed. */
export type OrasErrorCode =
  | "OCI_INVALID_REFERENCE" // invalid-argument
  | "OCI_INVALID_DIGEST" // invalid-argument
  | "OCI_AMBIGUOUS_REFERENCE" // invalid-argument
  | "OCI_NOT_FOUND" // not-found
  | "OCI_LAYOUT_MISSING" // not-found
  | "OCI_LAYOUT_INVALID" // corrupt
  | "OCI_LAYOUT_VERSION" // unsupported
  | "OCI_INVALID_JSON" // corrupt
  | "OCI_INVALID_MANIFEST" // corrupt
  | "OCI_AMBIGUOUS_MANIFEST" // corrupt
  | "OCI_MEDIA_TYPE_MISMATCH" // corrupt
  | "OCI_UNSUPPORTED_MEDIA_TYPE" // unsupported
  | "OCI_UNSUPPORTED_SCHEMA1" // unsupported
  | "OCI_DIGEST_MISMATCH" // corrupt
  | "OCI_SIZE_MISMATCH" // corrupt
  | "OCI_TOO_LARGE" // limit
  | "OCI_TOO_DEEP" // limit
  | "OCI_UNSAFE_NAME" // denied
  | "OCI_ARCHIVE_CORRUPT" // corrupt
  | "ORAS_ABORTED" // aborted
  | "ORAS_AUTH_DENIED" // auth
  | "ORAS_AUTH_REQUIRED" // auth
  | "ORAS_BAD_RESPONSE" // network
  | "ORAS_HTTP_STATUS" // network
  | "ORAS_INVALID_CREDENTIALS" // invalid-argument
  | "ORAS_NETWORK" // network
  | "ORAS_PROXY" // network
  | "ORAS_RATE_LIMITED" // network
  | "ORAS_REALM_REFUSED" // denied
  | "ORAS_REDIRECT_REFUSED" // denied
  | "ORAS_STALLED" // network
  | "ORAS_TLS" // network
  | "ORAS_TRUNCATED" // network
  | "ORAS_UNSUPPORTED"; // unsupported

/** The kind of each code. */
export const orasErrorKinds: Readonly<Record<OrasErrorCode, ErrorKind>> = {
  OCI_INVALID_REFERENCE: "invalid-argument",
  OCI_INVALID_DIGEST: "invalid-argument",
  OCI_AMBIGUOUS_REFERENCE: "invalid-argument",
  OCI_NOT_FOUND: "not-found",
  OCI_LAYOUT_MISSING: "not-found",
  OCI_LAYOUT_INVALID: "corrupt",
  OCI_LAYOUT_VERSION: "unsupported",
  OCI_INVALID_JSON: "corrupt",
  OCI_INVALID_MANIFEST: "corrupt",
  OCI_AMBIGUOUS_MANIFEST: "corrupt",
  OCI_MEDIA_TYPE_MISMATCH: "corrupt",
  OCI_UNSUPPORTED_MEDIA_TYPE: "unsupported",
  OCI_UNSUPPORTED_SCHEMA1: "unsupported",
  OCI_DIGEST_MISMATCH: "corrupt",
  OCI_SIZE_MISMATCH: "corrupt",
  OCI_TOO_LARGE: "limit",
  OCI_TOO_DEEP: "limit",
  OCI_UNSAFE_NAME: "denied",
  OCI_ARCHIVE_CORRUPT: "corrupt",
  ORAS_ABORTED: "aborted",
  ORAS_AUTH_DENIED: "auth",
  ORAS_AUTH_REQUIRED: "auth",
  ORAS_BAD_RESPONSE: "network",
  ORAS_HTTP_STATUS: "network",
  ORAS_INVALID_CREDENTIALS: "invalid-argument",
  ORAS_NETWORK: "network",
  ORAS_PROXY: "network",
  ORAS_RATE_LIMITED: "network",
  ORAS_REALM_REFUSED: "denied",
  ORAS_REDIRECT_REFUSED: "denied",
  ORAS_STALLED: "network",
  ORAS_TLS: "network",
  ORAS_TRUNCATED: "network",
  ORAS_UNSUPPORTED: "unsupported",
};

/** What an {@link OrasError} is made from. */
export interface OrasErrorOptions {
  /** The failure's stable name. */
  readonly code: OrasErrorCode;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts: `host`, `status`, `digest`, `url` (without credentials), sizes. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What to do next. */
  readonly hint?: string;
  /** Whether the same call may succeed later. */
  readonly retryable?: boolean;
  /** The lower-level error. */
  readonly cause?: unknown;
}

/** An operation on OCI content or on a registry that failed. */
export class OrasError extends BoxError<OrasErrorCode> {
  constructor(options: OrasErrorOptions) {
    super({ ...options, kind: orasErrorKinds[options.code] });
  }
}

/** The same failure of something that may be tried again. */
export function asRetryable({ code, message, details, hint, cause }: OrasError): OrasError {
  return new OrasError({
    code,
    message,
    details,
    retryable: true,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}
