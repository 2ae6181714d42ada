import { createHash } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";

/** What tells whether a file was touched at all. */
export interface Fingerprint {
  /** Digest of its bytes. */
  readonly sha256: string;
  /** Its length. */
  readonly sizeBytes: number;
  /** When it was changed last, in nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Its number in the file system: another file under the same name has another. */
  readonly inode: bigint;
}

/** Reads a file's fingerprint. */
export async function takeFingerprint(path: string): Promise<Fingerprint> {
  const { size, mtimeNs, ino } = await stat(path, { bigint: true });
  const sha256 = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  return { sha256, sizeBytes: Number(size), mtimeNs, inode: ino };
}

/** Whether two fingerprints are of one file that nobody has touched. */
export function isSameFile(before: Fingerprint, after: Fingerprint): boolean {
  return (
    before.sha256 === after.sha256 &&
    before.sizeBytes === after.sizeBytes &&
    before.mtimeNs === after.mtimeNs &&
    before.inode === after.inode
  );
}

/** Overwrites the first bytes of a file with zeros. */
export async function damageStart(path: string, lengthBytes: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.write(new Uint8Array(lengthBytes), 0, lengthBytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}
