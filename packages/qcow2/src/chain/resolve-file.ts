import { kindOf } from "@box/errors";
import { toSourceError } from "../bytes/source-reader.ts";
import { Qcow2Error } from "../errors.ts";
import {
  deniedError,
  type FileRequest,
  type FileResolver,
  lateError,
  missingError,
  type ResolvedFile,
} from "./resolver.ts";

/** Asks a resolver for a file; a refusal, a missing file and a failure each become their own error. */
export async function resolveFile(
  resolver: FileResolver,
  request: FileRequest,
): Promise<ResolvedFile> {
  let resolved: ResolvedFile | undefined;
  try {
    resolved = await resolver(request);
  } catch (cause) {
    if (cause instanceof Qcow2Error) throw lateError(cause, request);
    if (kindOf(cause) === "not-found") throw missingError(request, cause);
    if (kindOf(cause) === "denied") throw deniedError(request);
    throw toSourceError(cause, `open ${described(request)}`);
  }
  if (resolved === undefined) throw deniedError(request);
  return resolved;
}

/** The file and who names it: a name alone may be empty, or a dot. */
function described({ role, displayName, fromLocation }: FileRequest): string {
  const what = role === "backing" ? "backing file" : "data file";
  const from = fromLocation === undefined ? "" : ` that ${fromLocation} names`;
  return `the ${what} ${JSON.stringify(displayName)}${from}`;
}

/** The format of a backing file as the resolver or the image states it. It is never guessed from the content. */
export function backingFormatOf(request: FileRequest, resolved: ResolvedFile): "raw" | "qcow2" {
  const format = resolved.format ?? request.format;
  if (format === "raw" || format === "qcow2") return format;
  if (format === undefined) {
    throw new Qcow2Error({
      code: "QCOW2_BACKING_FORMAT_UNSPECIFIED",
      message: `the image does not state the format of its backing file ${request.displayName}, and formats are never guessed`,
      details: { name: request.displayName, depth: request.depth },
      hint: "state the format in the resolver",
    });
  }
  throw new Qcow2Error({
    code: "QCOW2_UNSUPPORTED_BACKING_FORMAT",
    message: `the backing file ${request.displayName} has the format ${format}; only raw and qcow2 can be read`,
    details: { name: request.displayName, format, depth: request.depth },
  });
}
