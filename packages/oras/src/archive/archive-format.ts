/**
 * A form of archive: a packed image layout, what `docker save` writes now (a layout and `manifest.json`), or what it
 * wrote before version 25.
 */
export type ArchiveFormat = "oci-archive" | "docker-archive" | "docker-archive-legacy";
