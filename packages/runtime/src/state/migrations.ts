/** Each step takes the database from the version before it to its own; the first makes version 1. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE boxes (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    image_reference TEXT NOT NULL,
    image_digest TEXT,
    image_config TEXT,
    guest_rootfs TEXT NOT NULL,
    disk_size_bytes INTEGER,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    error TEXT
  ) STRICT;
  CREATE TABLE disks (
    box_id TEXT NOT NULL REFERENCES boxes (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    base_path TEXT,
    base_size_bytes INTEGER,
    base_format TEXT,
    base_key TEXT,
    virtual_size_bytes INTEGER NOT NULL,
    made_ms INTEGER NOT NULL,
    PRIMARY KEY (box_id, role)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE bases (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    digest TEXT NOT NULL,
    image_digest TEXT NOT NULL,
    first_used_ms INTEGER NOT NULL,
    last_used_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    resource TEXT NOT NULL,
    purpose TEXT NOT NULL,
    owner TEXT NOT NULL,
    created_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX leases_by_resource ON leases (resource);
  CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    box_id TEXT NOT NULL,
    box_name TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    finished_ms INTEGER,
    error TEXT,
    metrics TEXT
  ) STRICT;
  CREATE INDEX operations_by_box ON operations (box_id, started_ms);
  CREATE INDEX operations_by_state ON operations (state);
  CREATE TABLE events (
    operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    box_id TEXT NOT NULL,
    type TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (operation_id, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX events_by_box ON events (box_id, time_ms);
  `,
  `
  ALTER TABLE boxes ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';
  ALTER TABLE boxes ADD COLUMN auto_remove INTEGER NOT NULL DEFAULT 0;
  `,
  `
  ALTER TABLE boxes ADD COLUMN run_settings TEXT NOT NULL
    DEFAULT '{"memoryMiB":256,"cpus":1,"restart":{"type":"no"}}';
  ALTER TABLE boxes ADD COLUMN restarts INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE boxes ADD COLUMN stop_requested INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE boxes ADD COLUMN last_exit TEXT;
  CREATE TABLE machines (
    box_id TEXT PRIMARY KEY REFERENCES boxes (id) ON DELETE CASCADE,
    starter TEXT NOT NULL,
    record TEXT
  ) STRICT;
  `,
];
