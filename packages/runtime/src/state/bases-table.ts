import { type DiskRole, diskRoles } from "@box/rootfs";
import { Columns } from "./columns.ts";
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

/** Which disks a base is under: the recorded ones, by its key or by one of its paths. */
export function disksOnBase(
  database: StateDatabase,
  base: { readonly key: string; readonly paths: readonly string[] },
): readonly { readonly boxName: string; readonly role: DiskRole }[] {
  return database
    .all(
      `SELECT boxes.name AS box_name, disks.role FROM disks JOIN boxes ON boxes.id = disks.box_id
       WHERE base_key = :key OR base_path IN (SELECT value FROM json_each(:paths))
       ORDER BY boxes.name, disks.role DESC`,
      { key: base.key, paths: JSON.stringify(base.paths) },
    )
    .map((row) => {
      const columns = new Columns("disks", row);
      return { boxName: columns.text("box_name"), role: columns.oneOf("role", diskRoles) };
    });
}

/** Forgets a base that was removed. */
export function deleteBase(database: StateDatabase, key: string): void {
  database.run("DELETE FROM bases WHERE key = :key", { key });
}
