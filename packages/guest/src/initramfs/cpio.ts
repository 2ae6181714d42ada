/** A file of a cpio archive. */
export interface CpioEntry {
  /** Path without a leading slash; folders come before what is in them. */
  readonly path: string;
  /** Type and permission bits, as in `st_mode`. */
  readonly mode: number;
  /** Bytes of a regular file. */
  readonly content?: Uint8Array;
  /** Numbers of a device. */
  readonly device?: { readonly major: number; readonly minor: number };
}

const trailer: CpioEntry = { path: "TRAILER!!!", mode: 0 };

/**
 * Makes a cpio archive in the `newc` format, which Linux unpacks as its initramfs.
 *
 * The same entries give the same bytes: everything belongs to root, was changed last in 1970, and has its place as inode.
 *
 * @see Linux, Documentation/driver-api/early-userspace/buffer-format.rst
 */
export function buildCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const append = (bytes: Uint8Array): void => {
    parts.push(bytes);
    length += bytes.length;
  };
  [...entries, trailer].forEach((entry, index) => {
    const content = entry.content ?? new Uint8Array(0);
    append(headerOf(entry, index === entries.length ? 0 : index + 1, content.length));
    append(new Uint8Array(-length & 3));
    append(content);
    append(new Uint8Array(-length & 3));
  });
  const archive = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

/** The magic, thirteen numbers of eight hexadecimal digits, and the name with its NUL. */
function headerOf(entry: CpioEntry, inode: number, sizeBytes: number): Uint8Array {
  const name = new TextEncoder().encode(`${entry.path}\0`);
  const { major, minor } = entry.device ?? { major: 0, minor: 0 };
  const [uid, gid, links, mtime, fileMajor, fileMinor, check] = [0, 0, 1, 0, 0, 0, 0];
  const fields = [
    ...[inode, entry.mode, uid, gid, links, mtime, sizeBytes],
    ...[fileMajor, fileMinor, major, minor, name.length, check],
  ];
  const digits = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  const head = new TextEncoder().encode(`070701${digits}`);
  const header = new Uint8Array(head.length + name.length);
  header.set(head);
  header.set(name, head.length);
  return header;
}
