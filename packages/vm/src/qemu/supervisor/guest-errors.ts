import { isBoxError } from "@box/errors";
import type { AgentFailure, ExplainedFailure } from "@box/guest/protocol";
import { VmError, type VmErrorCode } from "../../errors.ts";
import { visibleText } from "./rolling-log.ts";
import type { Opening } from "./stream-messages.ts";

const codes: Readonly<Record<AgentFailure, VmErrorCode>> = {
  protocol: "VM_GUEST_PROTOCOL",
  version: "VM_GUEST_PROTOCOL",
  "not-ready": "VM_GUEST_NOT_READY",
  "too-many": "VM_EXEC_LIMIT",
  invalid: "VM_SPEC_INVALID",
  unsupported: "VM_GUEST_FAILED",
  "not-found": "VM_EXEC_NOT_FOUND",
  "not-executable": "VM_EXEC_NOT_EXECUTABLE",
  "no-such-cwd": "VM_EXEC_NO_DIRECTORY",
  "no-such-user": "VM_EXEC_NO_USER",
  refused: "VM_GUEST_FAILED",
  "no-disk": "VM_GUEST_FAILED",
  mount: "VM_GUEST_FAILED",
  errno: "VM_GUEST_FAILED",
};

/** What means something else when it is no command that fails. */
const codesAbout: Readonly<Record<Opening["about"], Partial<typeof codes>>> = {
  command: {},
  file: {
    "not-found": "VM_FILE_NOT_FOUND",
    errno: "VM_FILE_FAILED",
    unsupported: "VM_FILE_UNSUPPORTED",
  },
  port: { refused: "VM_PORT_REFUSED" },
};

/**
 * What did not work in the guest, as a failure of the machine.
 *
 * @param what - What was tried, such as `cannot mount the disks`.
 */
export function agentFailure(
  what: string,
  { failure, errno, message }: ExplainedFailure,
  about: Opening["about"] = "command",
): VmError {
  const said = visibleText(Buffer.from(message));
  return new VmError({
    code: codesAbout[about][failure] ?? codes[failure],
    message: `${what}: ${said || failure}`,
    details: { failure, errno },
  });
}

/** A request that cannot be put into a frame, as a failure of who made it. */
export function requestFailure(what: string, error: unknown): unknown {
  if (!isBoxError(error) || !error.code.startsWith("GUEST_REQUEST")) return error;
  return new VmError({
    code: "VM_SPEC_INVALID",
    message: `${what}: ${error.message}`,
    details: error.details,
    cause: error,
  });
}

/** The guest sent what is no message, or not at that time. */
export function protocolFailure(message: string, cause?: unknown): VmError {
  return new VmError({
    code: "VM_GUEST_PROTOCOL",
    message: `the guest sent what is no answer: ${message}`,
    ...(cause === undefined ? {} : { cause }),
  });
}
