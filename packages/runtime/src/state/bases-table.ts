import type { StateDatabase } from "./database.ts";

/** A base disk that boxes of this home use. */
export interface BaseRecord {
  /** Its key in the cache of bases. */
  readonly key: string;
  /** Canonical absolute path. */
  readonly path: string;
  /** Size of the file in bytes. */
  readonly sizeBytes: number;
  /** Digest of its content. */
  readonly digest: string;
  /** Digest of the manifest of the image that it is made from. */
  readonly imageDigest: string;
}

/** Notes that a base is used now. */
export function putBase(database: StateDatabase, base: BaseRecord, nowMs: number): void {
  database.run(
    `INSERT INTO bases (key, path, size_bytes, digest, image_digest, first_used_ms, last_used_ms)
     VALUES (:key, :path, :size, :digest, :imageDigest, :now, :now)
     ON CONFLICT (key) DO UPDATE SET
       path = :path, size_bytes = :size, digest = :digest, image_digest = :imageDigest, last_used_ms = :now`,
    {
      key: base.key,
      path: base.path,
      size: base.sizeBytes,
      digest: base.digest,
      imageDigest: base.imageDigest,
      now: nowMs,
    },
  );
}
