import { isBoxError } from "@box/errors";
import { OrasError, type OrasErrorCode } from "../errors.ts";

/** The error of an archive whose content is wrong. */
export function corruptArchive(what: string, why: string, cause?: unknown): OrasError {
  return archiveError("OCI_ARCHIVE_CORRUPT", what, why, cause);
}

/** The error of an archive that cannot be used. */
export function archiveError(
  code: OrasErrorCode,
  what: string,
  why: string,
  cause?: unknown,
): OrasError {
  return new OrasError({
    code,
    message: `cannot read archive ${what}: ${why}`,
    details: { path: what },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What the tar format and its limits say, in the words of image archives; anything else as it is. */
export function toArchiveError(error: unknown, what: string): unknown {
  if (!isBoxError(error) || !error.code.startsWith("TAR_")) return error;
  const code = error.kind === "limit" ? "OCI_TOO_LARGE" : "OCI_ARCHIVE_CORRUPT";
  return archiveError(code, what, error.message, error);
}

/** A name of the archive for messages. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name);
}
