import { createHash } from "node:crypto";

/**
 * The key of a base that came from elsewhere: made from the digest of its content, and never that of a recipe.
 *
 * @param digest - `sha256:...`.
 */
export function adoptedBaseKey(digest: string): string {
  return createHash("sha256").update(`adopted:${digest}`).digest("hex");
}
