import { type TarEntry, type TarLimits, TarParser, type TarWarning } from "@box/tar";

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A file's entry with some fields changed. */
export function entry(changes: Partial<TarEntry> = {}): TarEntry {
  return {
    path: bytes("a"),
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    linkPath: bytes(""),
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: [],
    ...changes,
  };
}

/** One entry as it was read. */
export interface ReadEntry {
  entry: TarEntry;
  /** The content where holes are zeros. */
  content: Uint8Array;
  /** Offset and length of each run of data, joined where they touch. */
  runs: [number, number][];
  ended: boolean;
}

/** Reads a whole archive, pushed in chunks of `chunkBytes`. */
export function readTar(
  archive: Uint8Array,
  options: { chunkBytes?: number; limits?: Partial<TarLimits>; warnings?: TarWarning[] } = {},
): ReadEntry[] {
  const read: ReadEntry[] = [];
  const last = (): ReadEntry => read.at(-1) as ReadEntry;
  const parser = new TarParser(
    {
      entry: (found) => {
        read.push({
          entry: found,
          content: new Uint8Array(found.sizeBytes),
          runs: [],
          ended: false,
        });
      },
      data: (chunk, offset) => {
        const { content, runs } = last();
        content.set(chunk, offset);
        const run = runs.at(-1);
        if (run !== undefined && run[0] + run[1] === offset) run[1] += chunk.byteLength;
        else runs.push([offset, chunk.byteLength]);
      },
      end: () => {
        last().ended = true;
      },
      warn: (warning) => options.warnings?.push(warning),
    },
    options.limits,
  );
  const step = options.chunkBytes ?? Math.max(archive.byteLength, 1);
  for (let at = 0; at < archive.byteLength; at += step)
    parser.push(archive.subarray(at, at + step));
  parser.finish();
  return read;
}

const checksumAt = 148;

/** Makes the checksum of a header block right again after a change. */
export function seal(block: Uint8Array, sum: "unsigned" | "signed" = "unsigned"): Uint8Array {
  block.fill(0x20, checksumAt, checksumAt + 8);
  const total = block.reduce(
    (so, byte) => so + (sum === "signed" && byte > 127 ? byte - 256 : byte),
    0,
  );
  block.set(bytes(`${total.toString(8).padStart(6, "0")}\0 `), checksumAt);
  return block;
}

/** A header block from fields at byte offsets, with a right checksum. */
export function rawHeader(fields: Readonly<Record<number, string | Uint8Array>>): Uint8Array {
  const block = new Uint8Array(512);
  for (const [at, value] of Object.entries(fields)) {
    block.set(typeof value === "string" ? bytes(value) : value, Number(at));
  }
  return seal(block);
}

/** A body filled up to whole blocks. */
export function padded(body: string | Uint8Array): Uint8Array {
  const content = typeof body === "string" ? bytes(body) : body;
  const block = new Uint8Array(Math.ceil(content.byteLength / 512) * 512);
  block.set(content);
  return block;
}

/** A PAX header with these records. */
export function pax(records: readonly string[], type: "x" | "g" = "x"): Uint8Array {
  const body = concat(
    ...records.map((record) => {
      const content = bytes(record);
      const rest = content.byteLength + 2;
      let length = rest + String(rest).length;
      length = rest + String(length).length;
      return concat(bytes(`${length} `), content, bytes("\n"));
    }),
  );
  return concat(
    rawHeader({ 0: "pax", 124: body.length.toString(8), 156: type, 257: "ustar\u000000" }),
    padded(body),
  );
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
