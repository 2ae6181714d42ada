/** The base disk that an overlay was made on, as the box's state records it. */
export interface RecordedBase {
  /** Canonical absolute path. */
  readonly path: string;
  /** Size of the file in bytes. */
  readonly sizeBytes: number;
  /** Format of the base; box makes raw ones only, a box adopted from elsewhere may have another. */
  readonly format: "raw" | "qcow2";
}

/**
 * What the box's state says about a disk: `made` with the base that it was made on (none for a disk of its own),
 * `adopted` when the box came without a record of it, `never-made` before its first start.
 */
export type OverlayRecord =
  | { readonly type: "made"; readonly base: RecordedBase | undefined }
  | { readonly type: "adopted" }
  | { readonly type: "never-made" };
