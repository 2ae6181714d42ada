import type { AgentFailure } from "../protocol/agent-failures.ts";
import { errorText } from "../protocol/error-text.ts";

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
    return new CallFailure(failure, errno, `${what}${name}: ${errorText(errno)}`);
  }
}
