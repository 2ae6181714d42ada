/** How `checkImage` checks. */
export interface CheckImageOptions {
  /**
   * Repairs what can be repaired without losing data; the source must be writable.
   *
   * `leaks` lowers refcounts that are too high, when nothing else is wrong. `all` also raises those that are too low,
   * writes the refcount structures anew when they cannot be used, corrects copied bits, and completes the extra data of
   * snapshots. No pointer is changed but those of clusters that read as zeros.
   */
  readonly repair?: "leaks" | "all";
  /** Aborts the check. */
  readonly signal?: AbortSignal;
  /** Told now and then how many bytes of tables were read. */
  readonly onProgress?: (readBytes: number) => void;
  /** Memory for tables and reference counts, 256 MiB by default; more is `QCOW2_METADATA_LIMIT`. */
  readonly maxMetadataBytes?: number;
  /** Most findings in the report, 1,000 by default; the counters count all of them. */
  readonly maxFindings?: number;
}
