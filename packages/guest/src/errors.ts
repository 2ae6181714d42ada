import { BoxError, type ErrorKind } from "@box/errors";

/** Why the guest side of a box could not be made or understood. */
export type GuestErrorCode =
  | "GUEST_ARCHITECTURE_UNKNOWN" // unsupported: neither amd64 nor arm64
  | "GUEST_PROTOCOL" // corrupt: bytes that are no frame of the agent protocol
  | "GUEST_REQUEST_INVALID" // invalid-argument: a message that the protocol cannot carry
  | "GUEST_REQUEST_TOO_LARGE"; // limit: a message that is larger than its frame may be

/** The kind of each code. */
export const guestErrorKinds: Readonly<Record<GuestErrorCode, ErrorKind>> = {
  GUEST_ARCHITECTURE_UNKNOWN: "unsupported",
  GUEST_PROTOCOL: "corrupt",
  GUEST_REQUEST_INVALID: "invalid-argument",
  GUEST_REQUEST_TOO_LARGE: "limit",
};

/** What a {@link GuestError} is made from. */
export interface GuestErrorOptions {
  /** The failure's stable name. */
  readonly code: GuestErrorCode;
  /** One sentence for a person. */
  readonly message: string;
  /** Facts for programs. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** What to do next. */
  readonly hint?: string;
  /** What failed below it. */
  readonly cause?: unknown;
}

/** A failure to make something for the guest, or to understand what it says. */
export class GuestError extends BoxError<GuestErrorCode> {
  constructor(options: GuestErrorOptions) {
    super({ ...options, kind: guestErrorKinds[options.code] });
  }
}
