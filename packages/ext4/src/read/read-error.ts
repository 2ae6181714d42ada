import { Ext4Error, type Ext4ErrorCode } from "../errors.ts";

/** A failure to read an image: what is wrong, and where when it has a place. */
export function readError(
  code: Ext4ErrorCode,
  message: string,
  details: Readonly<Record<string, number | string>> = {},
): Ext4Error {
  return new Ext4Error({ code, message, details });
}
