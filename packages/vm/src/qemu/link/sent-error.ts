import { VmError, type VmErrorCode, vmErrorKinds } from "../../errors.ts";
import type { SentError } from "./messages.ts";

/** A failure as it is sent to another process. */
export function toSentError(error: unknown): SentError {
  if (error instanceof VmError) {
    const { code, message, details } = error;
    return { code, message, details };
  }
  return { message: error instanceof Error ? error.message : String(error) };
}

/** A failure that another process has sent. */
export function fromSentError({ code, message, details = {} }: SentError): Error {
  if (code === undefined || !Object.hasOwn(vmErrorKinds, code)) {
    return new Error(`the supervisor of a machine failed: ${message}`);
  }
  return new VmError({ code: code as VmErrorCode, message, details });
}
