import type { AgentFailure } from "../protocol/guest-messages.ts";

/** Error numbers of Linux that those who copy files meet, as its C library says them. */
const texts: Readonly<Record<number, string>> = {
  1: "Operation not permitted",
  2: "No such file or directory",
  5: "Input/output error",
  6: "No such device or address",
  9: "Bad file descriptor",
  11: "Resource temporarily unavailable",
  12: "Out of memory",
  13: "Permission denied",
  16: "Resource busy",
  17: "File exists",
  18: "Cross-device link",
  20: "Not a directory",
  21: "Is a directory",
  22: "Invalid argument",
  24: "No file descriptors available",
  26: "Text file busy",
  27: "File too large",
  28: "No space left on device",
  30: "Read-only file system",
  31: "Too many links",
  36: "Filename too long",
  39: "Directory not empty",
  40: "Symbolic link loop",
  95: "Not supported",
  117: "File system is damaged",
  122: "Quota exceeded",
};

/** `EIO`, for what ends early. */
export const inputOutputError = 5;
/** `EINVAL`. */
export const invalidArgument = 22;

/** Something that the guest could not do. */
export class CallFailure extends Error {
  /** Why. */
  readonly failure: AgentFailure;
  /** Linux error number, 0 when there is none. */
  readonly errno: number;

  constructor(failure: AgentFailure, errno: number, message: string) {
    super(message);
    this.failure = failure;
    this.errno = errno;
  }

  /** A system call has failed. */
  static of(
    errno: number,
    what = "cannot go on",
    path?: Uint8Array,
    failure: AgentFailure = errno === 2 ? "not-found" : "errno",
  ): CallFailure {
    const name = path === undefined ? "" : ` ${new TextDecoder().decode(path)}`;
    const text = texts[errno] ?? `error ${errno}`;
    return new CallFailure(failure, errno, `${what}${name}: ${text}`);
  }
}
