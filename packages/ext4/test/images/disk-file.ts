import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RandomAccess } from "@box/io";
import { onTestFinished } from "vitest";

/** A sparse file, in a folder of its own that goes away with the test unless one is given. */
export class DiskFile implements RandomAccess {
  readonly path: string;
  readonly #descriptor: number;
  /** How many bytes were written. */
  written = 0;

  constructor(folder: string = temporaryFolder()) {
    this.path = join(folder, "disk.img");
    this.#descriptor = openSync(this.path, "w+");
  }

  async size(): Promise<number> {
    return fstatSync(this.#descriptor).size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, length, offset));
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    writeSync(this.#descriptor, bytes, 0, bytes.byteLength, offset);
    this.written += bytes.byteLength;
  }

  async truncate(size: number): Promise<void> {
    ftruncateSync(this.#descriptor, size);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "box-ext4-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
