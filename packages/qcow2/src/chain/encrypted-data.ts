import type { RandomAccess } from "@box/io";
import { SourceReader } from "../bytes/source-reader.ts";
import { Qcow2Error, type Qcow2ErrorCode } from "../errors.ts";
import { headerFields } from "../header/layout.ts";
import type { ImageInfo } from "../inspect/image-info.ts";
import { DecryptedFile } from "../luks/decrypted-file.ts";
import { openLuks } from "../luks/open-luks.ts";
import type { OpenImageOptions } from "./open-options.ts";

/** Refuses what encryption rules out: the legacy method, a missing passphrase, and writing. */
export function requireKey(info: ImageInfo, options: OpenImageOptions, isTop: boolean): void {
  if (info.encryption === "none") return;
  if (info.encryption === "aes") {
    const reason = "is encrypted with aes, the legacy method, which is not supported";
    throw encryptionError("QCOW2_ENCRYPTED", info, reason);
  }
  if (options.passphrase === undefined) {
    throw encryptionError("QCOW2_ENCRYPTED", info, "is encrypted with luks", "give the passphrase");
  }
  if (isTop && options.mode === "rw") {
    const reason = "is encrypted with luks: it can be read, but not written";
    throw encryptionError("QCOW2_UNSUPPORTED_ENCRYPTION", info, reason);
  }
}

/** The reader of an image's uncompressed clusters: that of the image itself, of its data file, or one that decrypts. */
export async function openData(
  reader: SourceReader,
  source: RandomAccess,
  info: ImageInfo,
  { passphrase, signal }: OpenImageOptions,
): Promise<SourceReader> {
  if (info.encryption === "luks" && passphrase !== undefined) {
    const cipher = await openLuks(reader, info.encryptionHeader, passphrase);
    return SourceReader.open(new DecryptedFile(source, cipher), signal);
  }
  return source === reader.source ? reader : SourceReader.open(source, signal);
}

function encryptionError(
  code: Qcow2ErrorCode,
  { encryption }: ImageInfo,
  reason: string,
  hint?: string,
): Qcow2Error {
  return new Qcow2Error({
    code,
    message: `the image ${reason}`,
    offset: headerFields.cryptMethod,
    structure: "header",
    details: { encryption },
    ...(hint !== undefined && { hint }),
  });
}
