import { type DiskRole, diskRoles } from "@box/rootfs";
import type { DiskBase, DiskRecord } from "../boxes/box.ts";
import { RuntimeError } from "../errors.ts";
import { Columns } from "./columns.ts";
import type { Row, StateDatabase } from "./database.ts";

/** Stores that a disk was made. */
export function putDisk(database: StateDatabase, boxId: string, disk: DiskRecord): void {
  database.run(
    `INSERT OR REPLACE INTO disks
       (box_id, role, base_path, base_size_bytes, base_format, base_key, virtual_size_bytes, made_ms)
     VALUES (:boxId, :role, :path, :size, :format, :key, :virtualSize, :made)`,
    {
      boxId,
      role: disk.role,
      path: disk.base?.path ?? null,
      size: disk.base?.sizeBytes ?? null,
      format: disk.base?.format ?? null,
      key: disk.base?.key ?? null,
      virtualSize: disk.virtualSizeBytes,
      made: disk.madeMs,
    },
  );
}

/** Forgets that a disk was made: a failed run took it away again. */
export function forgetDisk(database: StateDatabase, boxId: string, role: DiskRole): void {
  database.run("DELETE FROM disks WHERE box_id = :boxId AND role = :role", { boxId, role });
}

/** Stores that a box has the disks of another, on the same bases. */
export function cloneDisks(
  database: StateDatabase,
  sourceId: string,
  boxId: string,
  nowMs: number,
): void {
  database.run(
    `INSERT INTO disks
       (box_id, role, base_path, base_size_bytes, base_format, base_key, virtual_size_bytes, made_ms)
     SELECT :boxId, role, base_path, base_size_bytes, base_format, base_key, virtual_size_bytes, :now
     FROM disks WHERE box_id = :sourceId`,
    { boxId, sourceId, now: nowMs },
  );
}

/** Stores another size of a disk. */
export function setDiskSize(
  database: StateDatabase,
  boxId: string,
  role: DiskRole,
  virtualSizeBytes: number,
): void {
  database.run(
    "UPDATE disks SET virtual_size_bytes = :size WHERE box_id = :boxId AND role = :role",
    { boxId, role, size: virtualSizeBytes },
  );
}

/** What is recorded about a disk. @throws RuntimeError `BOX_DISK_NOT_MADE`. */
export function requireDisk(
  database: StateDatabase,
  { id, name }: { readonly id: string; readonly name: string },
  role: DiskRole,
): DiskRecord {
  const disk = getDisk(database, id, role);
  if (disk !== undefined) return disk;
  throw new RuntimeError({
    code: "BOX_DISK_NOT_MADE",
    message: `the ${role} disk of box ${name} was never made`,
    details: { name, disk: role },
    hint: `make it with "box prepare ${name}"`,
  });
}

/** What is recorded about a disk. */
export function getDisk(
  database: StateDatabase,
  boxId: string,
  role: DiskRole,
): DiskRecord | undefined {
  const row = database.get(
    `SELECT disks.*, bases.digest AS base_digest FROM disks LEFT JOIN bases ON bases.key = base_key
     WHERE box_id = :boxId AND role = :role`,
    { boxId, role },
  );
  return row === undefined ? undefined : readDisk(row);
}

function readDisk(row: Row): DiskRecord {
  const columns = new Columns("disks", row);
  const base = readBase(columns);
  return {
    role: columns.oneOf("role", diskRoles),
    ...(base === undefined ? {} : { base }),
    virtualSizeBytes: columns.number("virtual_size_bytes"),
    madeMs: columns.time("made_ms"),
  };
}

function readBase(columns: Columns): DiskBase | undefined {
  const path = columns.optionalText("base_path");
  if (path === undefined) return undefined;
  const key = columns.optionalText("base_key");
  const digest = columns.optionalText("base_digest");
  return {
    path,
    sizeBytes: columns.number("base_size_bytes"),
    format: columns.oneOf("base_format", ["raw", "qcow2"]),
    ...(key === undefined ? {} : { key }),
    ...(digest === undefined ? {} : { digest }),
  };
}
