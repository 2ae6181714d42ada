import { isBoxError } from "@box/errors";
import { OrasError } from "@box/oras";

/** Whether an error says that content is not what its digest or its size says. */
function isRot(error: unknown): error is OrasError {
  if (!isBoxError(error)) return false;
  return error.code === "OCI_DIGEST_MISMATCH" || error.code === "OCI_SIZE_MISMATCH";
}

/** The same error, with what helps against it in a store; any other one as it is. */
export function inStore(error: unknown): unknown {
  if (!isRot(error)) return error;
  const { code, message, details } = error;
  return new OrasError({
    code,
    message,
    details,
    hint: `the blob was damaged in the store: "box verify --repair" takes it away, and "box pull" of its image fetches it again`,
    cause: error,
  });
}
