import type { Ext4Attributes, Ext4Reader } from "@box/ext4";
import { CliError } from "../errors.ts";

/**
 * A name or a path of an image as text: bytes that are not UTF-8, and backslashes, as `\xNN`, so that two different names
 * never look the same.
 */
export function showPath(bytes: Uint8Array): string {
  let text = "";
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (let at = 0; at < bytes.byteLength; ) {
    const length = sequenceLength(bytes[at] as number);
    const sequence = bytes.subarray(at, at + length);
    try {
      const character = decoder.decode(sequence);
      text += character === "\\" ? "\\x5c" : character;
      at += length;
    } catch {
      text += `\\x${(bytes[at] as number).toString(16).padStart(2, "0")}`;
      at += 1;
    }
  }
  return text;
}

/** The bytes of a path as {@link showPath} writes it. */
export function parsePath(text: string): Uint8Array {
  const parts = text
    .split(/(\\x[0-9a-f]{2})/i)
    .map((part) =>
      /^\\x[0-9a-f]{2}$/i.test(part)
        ? Uint8Array.of(Number.parseInt(part.slice(2), 16))
        : new TextEncoder().encode(part),
    );
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/**
 * Finds what a path of an image stands for.
 *
 * @throws {@link CliError} `CLI_NO_SUCH_PATH`.
 */
export async function findPath(
  reader: Ext4Reader,
  path: string,
  options: { readonly followsLast?: boolean } = {},
): Promise<Ext4Attributes> {
  const inode = await reader.lookup(parsePath(path), options);
  if (inode !== undefined) return reader.attributes(inode);
  throw new CliError({
    code: "CLI_NO_SUCH_PATH",
    message: `there is no ${path} in the file system`,
    details: { path },
    hint: "list what is there with: box rootfs ls FILE",
  });
}

function sequenceLength(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
