import type { RandomAccess } from "@box/io";
import { type TarEntry, TarParser } from "@box/tar";
import type { OperationOptions } from "../content/target.ts";
import { throwIfAborted } from "../transport/pacing.ts";
import { archiveError, corruptArchive, quoteName, toArchiveError } from "./archive-error.ts";
import { archiveFolder, archivePath } from "./archive-path.ts";

/** Bytes of an archive. */
export interface ArchiveRange {
  /** Where they begin, in bytes. */
  readonly offset: number;
  /** How many they are. */
  readonly size: number;
}

/** Options of {@link indexArchive}. */
export interface IndexArchiveOptions extends OperationOptions {
  /** What the archive is called in messages. */
  readonly what: string;
  /** The most entries. */
  readonly maxEntries: number;
}

type Place =
  | ({ readonly type: "file"; readonly isSparse: boolean } & ArchiveRange)
  /** Where a link leads; nothing for one that leads out of the archive. */
  | { readonly type: "link"; readonly target: string | undefined };

const blockBytes = 512;
const windowBytes = 64 * 1024;
const maxNamesBytes = 16 * 1024 * 1024;
const maxHops = 16;

/**
 * Finds out where the files of a tar archive lie, by its headers alone: content is passed over.
 *
 * @throws OrasError `OCI_ARCHIVE_CORRUPT`, `OCI_TOO_LARGE`, `OCI_UNSAFE_NAME`; what `file` throws.
 */
export async function indexArchive(
  file: RandomAccess,
  options: IndexArchiveOptions,
): Promise<ArchiveIndex> {
  const { what, signal, maxEntries } = options;
  const index = new ArchiveIndex(what);
  const size = await file.size();
  const window = new ReadWindow(file, size, what);
  const found: TarEntry[] = [];
  const parser = new TarParser({ entry: (entry) => found.push(entry) }, { maxEntries });
  try {
    for (let position = 0; position < size && !parser.isEnded; ) {
      throwIfAborted(signal);
      const passed = Math.min(parser.skippableBytes, size - position);
      if (passed > 0) {
        parser.skip(passed);
        position += passed;
        continue;
      }
      const block = await window.readBlock(position);
      parser.push(block);
      position += block.byteLength;
      const entry = found.pop();
      if (entry !== undefined) index.add(entry, position, parser.skippableBytes);
    }
    parser.finish();
  } catch (error) {
    throw toArchiveError(error, what);
  }
  return index;
}

/** Where the files of an archive lie, by their names. No name of it becomes a name on the host. */
export class ArchiveIndex {
  readonly #what: string;
  readonly #places: Map<string, Place> = new Map();
  readonly #repeated: Set<string> = new Set();
  #namesBytes = 0;

  constructor(what: string) {
    this.#what = what;
  }

  /** Takes in an entry whose content begins at `offset`, of which `whole` bytes lie one after the other. */
  add(entry: TarEntry, offset: number, whole: number): void {
    const place = this.#placeOf(entry, offset, whole);
    if (place === undefined) return;
    this.#namesBytes += entry.path.byteLength + entry.linkPath.byteLength;
    if (this.#namesBytes > maxNamesBytes) {
      throw archiveError("OCI_TOO_LARGE", this.#what, `its names exceed ${maxNamesBytes} bytes`);
    }
    const name = this.#nameOf(entry);
    if (this.#places.has(name)) this.#repeated.add(name);
    this.#places.set(name, place);
  }

  /** The names of files and links, in the archive's order. */
  names(): IterableIterator<string> {
    return this.#places.keys();
  }

  /**
   * Finds a file by name, through links.
   *
   * @param isAddressed - Whether the name says what the content must be: then several files of that name do no harm.
   * @returns Nothing when there is none.
   * @throws OrasError `OCI_ARCHIVE_CORRUPT` for several files of one name, which tools read differently, and for a
   * sparse file; `OCI_UNSAFE_NAME` for a link out of the archive.
   */
  find(name: string, isAddressed = false): ArchiveRange | undefined {
    let current = archivePath(name);
    for (let hops = 0; hops < maxHops && current !== undefined; hops++) {
      const place = this.#places.get(current);
      if (place === undefined) return undefined;
      if (this.#repeated.has(current) && !isAddressed) {
        throw corruptArchive(this.#what, `it holds ${quoteName(current)} twice`);
      }
      if (place.type === "file") return this.#rangeOf(place, current);
      if (place.target === undefined) throw this.#unsafe(current);
      current = place.target;
    }
    return undefined;
  }

  #placeOf(entry: TarEntry, offset: number, whole: number): Place | undefined {
    const { type, sizeBytes } = entry;
    if (type === "file") return { type, offset, size: sizeBytes, isSparse: whole !== sizeBytes };
    if (type === "hardlink") return { type: "link", target: archivePath(decode(entry.linkPath)) };
    if (type !== "symlink") return undefined;
    const folder = archiveFolder(this.#nameOf(entry));
    return { type: "link", target: archivePath(decode(entry.linkPath), folder) };
  }

  #nameOf({ path }: TarEntry): string {
    const name = decode(path);
    const inside = archivePath(name);
    if (inside !== undefined) return inside;
    throw this.#unsafe(name);
  }

  #rangeOf({ offset, size, isSparse }: Place & { type: "file" }, name: string): ArchiveRange {
    if (!isSparse) return { offset, size };
    throw corruptArchive(this.#what, `${quoteName(name)} is stored as a sparse file`);
  }

  #unsafe(name: string): Error {
    return archiveError("OCI_UNSAFE_NAME", this.#what, `${quoteName(name)} leads out of it`);
  }
}

/** Reads block after block, many at a time. */
class ReadWindow {
  readonly #file: RandomAccess;
  readonly #size: number;
  readonly #what: string;
  readonly #buffer: Uint8Array = new Uint8Array(windowBytes);
  #start = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(file: RandomAccess, size: number, what: string) {
    this.#file = file;
    this.#size = size;
    this.#what = what;
  }

  /** What is left of the block that `position` lies in. */
  async readBlock(position: number): Promise<Uint8Array> {
    const end = Math.min(position - (position % blockBytes) + blockBytes, this.#size);
    if (position < this.#start || end > this.#start + this.#bytes.byteLength) {
      const wanted = Math.min(windowBytes, this.#size - position);
      this.#bytes = await this.#file.read(position, wanted, this.#buffer);
      this.#start = position;
      if (this.#bytes.byteLength < wanted) throw corruptArchive(this.#what, "it was cut meanwhile");
    }
    return this.#bytes.subarray(position - this.#start, end - this.#start);
  }
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
