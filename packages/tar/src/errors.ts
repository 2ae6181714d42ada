import { BoxError, type ErrorKind } from "@box/errors";

/** Which rule of the tar format was broken. */
export type TarErrorCode =
  | "TAR_TRUNCATED" // corrupt
  | "TAR_BAD_CHECKSUM" // corrupt
  | "TAR_BAD_HEADER" // corrupt
  | "TAR_BAD_PAX" // corrupt
  | "TAR_BAD_SPARSE" // corrupt
  | "TAR_UNSUPPORTED_TYPE" // unsupported
  | "TAR_OVER_LIMIT" // limit
  | "TAR_BAD_ENTRY"; // invalid-argument

/** The kind of each code. */
export const tarErrorKinds: Readonly<Record<TarErrorCode, ErrorKind>> = {
  TAR_TRUNCATED: "corrupt",
  TAR_BAD_CHECKSUM: "corrupt",
  TAR_BAD_HEADER: "corrupt",
  TAR_BAD_PAX: "corrupt",
  TAR_BAD_SPARSE: "corrupt",
  TAR_UNSUPPORTED_TYPE: "unsupported",
  TAR_OVER_LIMIT: "limit",
  TAR_BAD_ENTRY: "invalid-argument",
};

/** An archive that breaks the format or a limit, or an entry that no archive can hold. */
export class TarError extends BoxError<TarErrorCode> {
  /** Where in the archive, in bytes, when the failure has a place: the block that holds it. */
  readonly offset: number | undefined;

  constructor(code: TarErrorCode, message: string, offset?: number) {
    super({
      code,
      kind: tarErrorKinds[code],
      message,
      ...(offset === undefined ? {} : { details: { offset } }),
    });
    this.offset = offset;
  }
}
