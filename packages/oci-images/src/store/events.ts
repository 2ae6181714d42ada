import type { Digest } from "@box/oras";
import type { ImageErrorCode } from "../errors.ts";

/** What happens while an image is pulled. */
export type PullEvent =
  | { readonly type: "resolved"; readonly reference: string; readonly digest: Digest }
  /** How far a blob is: a layer as a rule, or the config. */
  | {
      readonly type: "progress";
      readonly digest: Digest;
      readonly doneBytes: number;
      readonly totalBytes: number;
    }
  /** A blob was in the store already. */
  | { readonly type: "exists"; readonly digest: Digest; readonly totalBytes: number }
  /** A blob is whole and verified. */
  | { readonly type: "stored"; readonly digest: Digest; readonly totalBytes: number }
  /** Something is not as one might expect, and goes on. */
  | { readonly type: "warning"; readonly code: ImageErrorCode; readonly message: string }
  /** Another process works on the same blob or on the index. */
  | { readonly type: "waiting"; readonly what: string; readonly holderPid?: number }
  /** A request failed and is tried again. */
  | { readonly type: "retry"; readonly code: string; readonly message: string };
