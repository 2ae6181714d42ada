import type { TarEntry } from "./entry.ts";

/** Something of an entry that was understood but cannot be kept. */
export interface TarWarning {
  /** What it is: an ACL in text with names that have no number. */
  readonly code: "TAR_ACL_DROPPED";
  /** The PAX record's key. */
  readonly key: string;
  /** Where the entry's header lies in the archive, in bytes. */
  readonly offset: number;
}

/** Who is told what an archive holds. Called from within `TarParser.push`, never later. */
export interface TarHandlers {
  /** An entry starts. */
  entry(entry: TarEntry): void;
  /**
   * The next bytes of the entry's content, in rising order of offset; holes are skipped.
   *
   * @param chunk - A view of what was pushed, valid during the call only.
   * @param fileOffset - Where it belongs in the file.
   */
  data?(chunk: Uint8Array, fileOffset: number): void;
  /** The entry is complete. */
  end?(): void;
  /** Something was dropped from the entry that comes next. */
  warn?(warning: TarWarning): void;
}
