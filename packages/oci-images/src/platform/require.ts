import type { Platform } from "@box/oras";
import { ImageError } from "../errors.ts";
import { formatPlatform } from "./platform.ts";
import { type RankPlatformOptions, rankPlatform } from "./rank.ts";

/** Options of {@link requirePlatform}. */
export interface RequirePlatformOptions extends RankPlatformOptions {
  /** What is wanted. */
  readonly platform: Platform;
  /** The reference, for messages. */
  readonly what: string;
}

/**
 * Refuses an image whose config names another platform than is wanted; one that names none passes.
 *
 * @throws {@link ImageError} `OCI_NO_PLATFORM_MATCH`.
 */
export function requirePlatform(offered: Platform, options: RequirePlatformOptions): void {
  if (offered.architecture === "unknown") return;
  if (rankPlatform(options.platform, offered, options) !== undefined) return;
  throw noPlatformMatch([formatPlatform(offered)], options);
}

/** The error of an image that does not fit; lists what it offers. */
export function noPlatformMatch(
  available: readonly string[],
  options: RequirePlatformOptions,
): ImageError {
  const wanted = formatPlatform(options.platform);
  const list = available.length === 0 ? "no image at all" : available.join(", ");
  return new ImageError({
    code: "OCI_NO_PLATFORM_MATCH",
    message: `cannot use ${options.what} on ${wanted}: it offers ${list}`,
    details: { reference: options.what, wanted, available },
    hint: "use an image that is made for this platform, or ask for one of those that it offers",
  });
}
