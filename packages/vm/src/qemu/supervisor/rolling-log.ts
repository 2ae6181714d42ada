import { closeSync, fstatSync, openSync, readSync, renameSync, writeSync } from "node:fs";
import { olderLogPath } from "../../machine-log.ts";

/** Most bytes of one of the two files of a log. */
const fileBytes = 1024 * 1024;

/**
 * A log that a guest writes and that never grows beyond two files: when one is full it takes the place of the older one.
 *
 * A host that cannot store it, such as a full one, loses what comes and nothing else.
 */
export class RollingLog {
  readonly #path: string;
  #descriptor: number | undefined;
  #bytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Adds bytes. */
  write(chunk: Uint8Array): void {
    try {
      for (let at = 0; at < chunk.byteLength; ) {
        const descriptor = this.#open();
        const part = chunk.subarray(at, at + fileBytes - this.#bytes);
        const written = writeSync(descriptor, part);
        this.#bytes += written;
        at += written;
        if (this.#bytes >= fileBytes) this.#roll();
      }
    } catch {
      this.close();
    }
  }

  /** Gives its file back; the next write opens it again. */
  close(): void {
    if (this.#descriptor === undefined) return;
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    if (this.#descriptor === undefined) {
      this.#descriptor = openSync(this.#path, "a", 0o600);
      this.#bytes = fstatSync(this.#descriptor).size;
      if (this.#bytes >= fileBytes) {
        this.#roll();
        return this.#open();
      }
    }
    return this.#descriptor;
  }

  #roll(): void {
    this.close();
    renameSync(this.#path, olderLogPath(this.#path));
  }
}

/** The last bytes of a file as text that is safe to show; empty when it cannot be read. */
export function tailOf(path: string, mostBytes: number): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(Math.min(size, mostBytes));
    const length = readSync(descriptor, bytes, 0, bytes.byteLength, size - bytes.byteLength);
    return visibleText(bytes.subarray(0, length));
  } catch {
    return "";
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** What a guest or a program has written, without what a terminal would obey. */
export function visibleText(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes);
  const safe = (character: string) => (character === "\n" ? character : "?");
  return text
    .replaceAll("\r", "")
    .replace(/\p{Cc}/gu, safe)
    .trim();
}
