import type { TreeEvent } from "@box/guest/protocol";

/**
 * Files on their way: a record for each, followed by the content of a file. Folders come before what is in them, and paths are
 * relative, without empty, `.` and `..` parts.
 */
export type FileEvent = TreeEvent;

/** What a file is, where it is, and whose; its content comes behind it. */
export type FileRecord = Extract<FileEvent, { readonly type: "record" }>["record"];
