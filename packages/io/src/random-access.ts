/**
 * A file, or anything that reads and writes at byte offsets.
 *
 * The seam between formats and storage: every package of box reads and writes through it. Only
 * {@link RandomAccess.size} and {@link RandomAccess.read} are required; an absent method means that the storage
 * cannot do it. Offsets and lengths are whole bytes below 2^53. Calls may overlap in time where they do not in place.
 * Implementations may throw any error; callers treat every one as an I/O failure, never as corrupt content.
 */
export interface RandomAccess {
  /** The current size in bytes. */
  size(): Promise<number>;
  /**
   * Reads `length` bytes at `offset`, fewer only where the file ends.
   *
   * @param into - Filled from its start when given, at least `length` bytes; the result is then a view of it.
   * @returns The bytes read. The caller owns them, and they stay valid after later calls.
   */
  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  /** Writes all bytes at `offset`, growing the file when needed. The caller may reuse `bytes` once it resolves. */
  write?(offset: number, bytes: Uint8Array): Promise<void>;
  /** Resolves once everything written before is on stable storage. */
  flush?(): Promise<void>;
  /** Cuts or grows (with zeros) the file to `size` bytes. */
  truncate?(size: number): Promise<void>;
  /** Makes a range read as zeros and gives its space back where the storage can. The size stays. */
  punchHole?(offset: number, length: number): Promise<void>;
  /** A name that two handles share exactly when they are the same file, such as device and inode. */
  identity?(): string;
}

/** A {@link RandomAccess} with a lifetime. */
export interface OpenFile extends RandomAccess, AsyncDisposable {
  /** Closes it; later calls fail. Closing twice does nothing. */
  close(): Promise<void>;
}
