import { BoxError, type ErrorKind } from "@box/errors";

/** Why the guest side of a box could not be made or understood. */
export type GuestErrorCode =
  | "GUEST_ARCHITECTURE_UNKNOWN" // unsupported: neither amd64 nor arm64
  | "GUEST_PROTOCOL" // corrupt: bytes that are no frame of the agent protocol
  | "GUEST_REQUEST_INVALID" // invalid-argument: a message that the protocol cannot carry
  | "GUEST_REQUEST_TOO_LARGE" // limit: a message that is larger than its frame may be
  | "GUEST_COMPILER_MISSING" // unsupported: there is no C compiler to make the agent with
  | "GUEST_COMPILE_FAILED" // unsupported: the C compiler cannot make the agent
  | "GUEST_KERNEL_MISSING" // not-found: there is no kernel, or no module, where one was looked for
  | "GUEST_KERNEL_INVALID" // corrupt: what should be a kernel or module is damaged or none
  | "GUEST_KERNEL_UNSUPPORTED" // unsupported: a kernel or module packed in a way that is not known
  | "GUEST_KERNEL_UNPACK_FAILED"; // io: the package of a kernel cannot be fetched or unpacked

/** The kind of each code. */
export const guestErrorKinds: Readonly<Record<GuestErrorCode, ErrorKind>> = {
  GUEST_ARCHITECTURE_UNKNOWN: "unsupported",
  GUEST_PROTOCOL: "corrupt",
  GUEST_REQUEST_INVALID: "invalid-argument",
  GUEST_REQUEST_TOO_LARGE: "limit",
  GUEST_COMPILER_MISSING: "unsupported",
  GUEST_COMPILE_FAILED: "unsupported",
  GUEST_KERNEL_MISSING: "not-found",
  GUEST_KERNEL_INVALID: "corrupt",
  GUEST_KERNEL_UNSUPPORTED: "unsupported",
  GUEST_KERNEL_UNPACK_FAILED: "io",
};

/** What a GuestError is made from. */
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
