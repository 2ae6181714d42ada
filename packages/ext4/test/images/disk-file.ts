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
import { afterAll } from "vitest";

const folder: string = mkdtempSync(join(tmpdir(), "box-ext4-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** A sparse file in a folder of its own, which goes away after the tests of the file that imports this. */
export class DiskFile implements RandomAccess {
  readonly path: string = join(folder, `disk-${count++}.img`);
  readonly #descriptor: number = openSync(this.path, "w+");
  /** How many bytes were written. */
  written = 0;

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
