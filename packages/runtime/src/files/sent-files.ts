import type { FileRecord } from "./file-event.ts";

/** Files that a guest has sent: a hard link may lead to one of them, and to nothing else that lies where it is unpacked. */
export class SentFiles {
  readonly #names = new Set<string>();
  readonly #maxBytes: number;
  #bytes = 0;

  /** @param maxBytes - How much of names is remembered; links to files after that are none. */
  constructor(maxBytes: number = 64 * 1024 * 1024) {
    this.#maxBytes = maxBytes;
  }

  /** Remembers a record. @returns Whether it may follow those before it. */
  takes({ kind, path, linkTarget }: FileRecord): boolean {
    if (kind === "hardlink") return this.#names.has(Buffer.from(linkTarget).toString("latin1"));
    if (kind !== "file" || this.#bytes + path.byteLength > this.#maxBytes) return true;
    this.#bytes += path.byteLength;
    this.#names.add(Buffer.from(path).toString("latin1"));
    return true;
  }
}
