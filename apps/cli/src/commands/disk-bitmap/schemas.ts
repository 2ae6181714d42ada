import * as z from "zod";
import { type BitmapFacts, bitmapFacts } from "../../disks/image-facts.ts";

/** What the commands take that change a bitmap. */
export interface BitmapChangeInput {
  /** The image. */
  readonly file: string;
  /** The bitmap. */
  readonly name: string;
  /** Folders of backing and data files. */
  readonly allow?: readonly string[] | undefined;
}

/** The schema of {@link BitmapChangeInput}. */
export const input: z.ZodType<BitmapChangeInput> = z.strictObject({
  file: z.string().min(1),
  name: z.string().min(1),
  allow: z.array(z.string().min(1)).optional(),
});

/** What these commands print. */
export interface BitmapChangeOutput {
  /** The image as it was given. */
  readonly file: string;
  /** What was done. */
  readonly done: "added" | "removed" | "cleared" | "enabled" | "disabled" | "merged";
  /** The bitmap as it is now; as it was, when it was removed. */
  readonly bitmap: BitmapFacts;
}

/** The schema of {@link BitmapChangeOutput}. */
export const output: z.ZodType<BitmapChangeOutput> = z.strictObject({
  file: z.string(),
  done: z.enum(["added", "removed", "cleared", "enabled", "disabled", "merged"]),
  bitmap: bitmapFacts,
});
