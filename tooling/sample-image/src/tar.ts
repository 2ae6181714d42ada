/** A file of a layer, as its tar header has it. */
export interface LayerFile {
  /** What it is. */
  readonly type: "file" | "directory" | "symlink" | "hardlink";
  /** Its path in bytes, without a slash at either end. */
  readonly path: Uint8Array;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  /** Numeric owner and group. */
  readonly owner: number;
  /** Seconds since 1970 when it was changed last. */
  readonly seconds: number;
  /** Nanoseconds beyond that. */
  readonly nanoseconds: number;
  /** Where a link leads; up to 100 bytes. */
  readonly linkPath: string;
  /** Extended attributes: full names and values. */
  readonly xattrs: Readonly<Record<string, Uint8Array>>;
  /** The bytes of a regular file. */
  readonly content: Uint8Array;
}

const blockBytes = 512;
const nameBytes = 100;
const typeFlags = { file: "0", hardlink: "1", symlink: "2", directory: "5" } as const;

/**
 * Writes the files of a layer as a tar: plain headers of POSIX.1-1988 and, where they do not suffice,
 * extended ones of POSIX.1-2001 ("pax"), with extended attributes as `SCHILY.xattr.NAME`.
 *
 * It is not the writer of `@box/tar` on purpose: the sample must not share a mistake with what reads it.
 */
export function writeTar(files: readonly LayerFile[]): Uint8Array<ArrayBuffer> {
  const parts = files.flatMap((file) => {
    const extended = extendedHeader(file);
    const header = plainHeader(typeFlags[file.type], tarPath(file), file.content.length, file);
    return [...extended, header, padded(file.content)];
  });
  return concatenated([...parts, new Uint8Array(2 * blockBytes)]);
}

/** The records that a plain header has no room for, as a file of type `x` before the one that they are about. */
function extendedHeader(file: LayerFile): Uint8Array[] {
  const records: Uint8Array[] = [];
  if (tarPath(file).length > nameBytes) records.push(record("path", tarPath(file)));
  if (file.nanoseconds !== 0) {
    const fraction = String(file.nanoseconds).padStart(9, "0");
    records.push(record("mtime", encoded(`${file.seconds}.${fraction}`)));
  }
  for (const [name, value] of Object.entries(file.xattrs)) {
    records.push(record(`SCHILY.xattr.${name}`, value));
  }
  if (records.length === 0) return [];
  const body = concatenated(records);
  const owner = { ...file, type: "file", mode: 0o644, linkPath: "" } as const;
  return [plainHeader("x", encoded("pax"), body.length, owner), padded(body)];
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits as well. */
function record(key: string, value: Uint8Array): Uint8Array {
  const restBytes = encoded(` ${key}=`).length + value.length + 1;
  let lengthBytes = restBytes + String(restBytes).length;
  lengthBytes = restBytes + String(lengthBytes).length;
  return concatenated([encoded(`${lengthBytes} ${key}=`), value, encoded("\n")]);
}

function plainHeader(
  typeFlag: string,
  path: Uint8Array,
  sizeBytes: number,
  file: LayerFile,
): Uint8Array {
  const header = new Uint8Array(blockBytes);
  const octal = (offset: number, digits: number, value: number): void => {
    header.set(encoded(`${value.toString(8).padStart(digits, "0")}\0`), offset);
  };
  // offset, size, name
  header.set(path.subarray(0, nameBytes)); //   0 100 name
  octal(100, 7, file.mode); //                100   8 mode
  octal(108, 7, file.owner); //               108   8 uid
  octal(116, 7, file.owner); //               116   8 gid
  octal(124, 11, sizeBytes); //               124  12 size
  octal(136, 11, file.seconds); //            136  12 mtime
  header.set(encoded("        "), 148); //    148   8 chksum, blanks while it is computed
  header.set(encoded(typeFlag), 156); //      156   1 typeflag
  header.set(encoded(file.linkPath), 157); // 157 100 linkname
  header.set(encoded("ustar\0"), 257); //     257   6 magic
  header.set(encoded("00"), 263); //          263   2 version
  octal(329, 7, 0); //                        329   8 devmajor
  octal(337, 7, 0); //                        337   8 devminor
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(encoded(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return header;
}

function tarPath(file: LayerFile): Uint8Array {
  return file.type === "directory" ? concatenated([file.path, encoded("/")]) : file.path;
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Math.ceil(bytes.length / blockBytes) * blockBytes);
  whole.set(bytes);
  return whole;
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
