import { BoxError, type ErrorKind } from "@box/errors";

/** Why the guest side of a box could not be made. */
export type GuestErrorCode = "GUEST_ARCHITECTURE_UNKNOWN"; // unsupported: neither amd64 nor arm64

/** The kind of each code. */
export const guestErrorKinds: Readonly<Record<GuestErrorCode, ErrorKind>> = {
  GUEST_ARCHITECTURE_UNKNOWN: "unsupported",
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
}

/** A failure to make something for the guest. */
export class GuestError extends BoxError<GuestErrorCode> {
  constructor(options: GuestErrorOptions) {
    super({ ...options, kind: guestErrorKinds[options.code] });
  }
}
