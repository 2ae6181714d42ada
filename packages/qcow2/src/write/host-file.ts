import { kindOf } from "@box/errors";
import type { RandomAccess } from "@box/io";
import { type SourceReader, toSourceError } from "../bytes/source-reader.ts";
import { Qcow2Error, type Qcow2Structure } from "../errors.ts";
import type { MetadataMap } from "./metadata-map.ts";

/** Writes to a file that holds an image or its data: every write is checked against the metadata first. */
export class HostFile {
  readonly #reader: SourceReader;
  readonly #source: RandomAccess & Required<Pick<RandomAccess, "write">>;
  readonly #metadata: MetadataMap | undefined;
  readonly #onOverlap: (error: Qcow2Error) => Promise<void>;
  #failure: Qcow2Error | undefined;
  #isStable = true;
  /** Where the file ended before anything was written here: a device never ends anywhere else. */
  #foundEnd: number;

  /**
   * @param metadata - What must not be overwritten; `undefined` for an external data file, which holds none.
   * @param onOverlap - Told before a write that would hit metadata is refused.
   */
  constructor(
    reader: SourceReader,
    metadata: MetadataMap | undefined,
    onOverlap: (error: Qcow2Error) => Promise<void> = async () => {},
  ) {
    this.#reader = reader;
    this.#source = requireWritable(reader.source);
    this.#foundEnd = reader.freshFrom;
    this.#metadata = metadata;
    this.#onOverlap = onOverlap;
  }

  /** The file's size in bytes. */
  get sizeBytes(): number {
    return this.#reader.sizeBytes;
  }

  /** From where on the file has nothing but zeros; see {@link SourceReader.freshFrom}. */
  get freshFrom(): number {
    return this.#reader.freshFrom;
  }

  /** Whether nothing is written any more, because of an overlap or a failed flush. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Writes bytes that belong to a structure. Bytes that would hit another one stop all further writing. */
  async write(offset: number, bytes: Uint8Array, structure: Qcow2Structure): Promise<void> {
    if (this.#failure) throw this.#failure;
    await this.guarded(() => {
      this.#metadata?.requireOwn(offset, bytes.byteLength, structure);
    });
    await this.#put(offset, bytes, structure);
  }

  async #put(offset: number, bytes: Uint8Array, structure: Qcow2Structure): Promise<void> {
    this.#isStable = false;
    this.#reader.mayTouch(offset + bytes.byteLength);
    try {
      await this.#source.write(offset, bytes);
    } catch (cause) {
      const action = `write ${bytes.byteLength} bytes of the ${structure} at byte ${offset}`;
      throw toSourceError(cause, action, offset);
    }
    this.#reader.grewTo(offset + bytes.byteLength);
  }

  /** Writes what decides which state the file is in. After a failure that is not known, and nothing more is written. */
  async writeDecision(offset: number, bytes: Uint8Array, structure: Qcow2Structure): Promise<void> {
    try {
      await this.write(offset, bytes, structure);
    } catch (error) {
      if (error instanceof Qcow2Error) this.#failure ??= error;
      throw error;
    }
  }

  /** Resolves once everything written is on stable storage. After a failure nothing more is written. */
  async flush(): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#isStable) return;
    try {
      await this.#source.flush?.();
    } catch (cause) {
      // The storage may have dropped what was written, and a second attempt would not say so.
      this.#failure = toSourceError(cause, "flush the image");
      throw this.#failure;
    }
    this.#isStable = true;
  }

  /** Gives the space of ranges back that nothing uses, where the storage can. A failure only leaves them in place. */
  async release(offset: number, length: number): Promise<void> {
    const inside = Math.min(length, this.sizeBytes - offset);
    try {
      if (inside > 0) await this.#source.punchHole?.(offset, inside);
    } catch {
      // They are as free as before, and only take up space.
    }
  }

  /** Cuts the file. */
  async truncate(sizeBytes: number): Promise<void> {
    if (this.#failure) throw this.#failure;
    try {
      await this.#source.truncate?.(sizeBytes);
    } catch (cause) {
      throw toSourceError(cause, `set the size of the image to ${sizeBytes} bytes`);
    }
    this.#isStable = false;
    if (!this.#source.truncate) return;
    this.#reader.wasCutTo(sizeBytes);
    this.#foundEnd = Math.min(this.#foundEnd, sizeBytes);
  }

  /**
   * Makes a file that has grown end with a whole cluster, where the storage has room for it. What the disk reads behind
   * the end of the file are zeros, but in a copy of the file on a larger device it is what the device had there.
   */
  async completeTo(clusterSize: number): Promise<void> {
    const { sizeBytes, freshFrom } = this;
    const end = Math.ceil(sizeBytes / clusterSize) * clusterSize;
    // Behind what the file has ever had nothing is hit, and a device, which never grows, is left as it is.
    if (this.hasFailed || sizeBytes <= this.#foundEnd || end <= freshFrom) return;
    try {
      await this.#put(end - 1, new Uint8Array(1), "data cluster");
    } catch (error) {
      // The image is as sound without it: what there was room for must not be lost for this.
      if (kindOf(error) !== "no-space") throw error;
    }
  }

  /** Runs a check; when it finds an overlap the image is marked and nothing more is written. */
  async guarded<Value>(check: () => Value): Promise<Value> {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof Qcow2Error) || error.code !== "QCOW2_OVERLAP") throw error;
      await this.#onOverlap(error);
      this.#failure = error;
      throw error;
    }
  }
}

/** A file that can be written; `QCOW2_READ_ONLY` for one that cannot. */
export function requireWritable(
  source: RandomAccess,
): RandomAccess & Required<Pick<RandomAccess, "write">> {
  if (source.write) return source as RandomAccess & Required<Pick<RandomAccess, "write">>;
  throw new Qcow2Error({ code: "QCOW2_READ_ONLY", message: "the image file cannot be written" });
}
