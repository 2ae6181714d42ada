import type { Platform } from "@box/oras";
import { normalizePlatform } from "./platform.ts";

/** Options of {@link rankPlatform}. */
export interface RankPlatformOptions {
  /** Whether 32-bit images do for a 64-bit CPU: 386 for amd64, arm for arm64. The guest's kernel must support it. */
  readonly allow32Bit?: boolean;
}

/**
 * How well an image fits a wanted platform, by containerd's order: the exact variant, then lower ones.
 *
 * @returns 0 for the best, more for worse, nothing for no fit.
 */
export function rankPlatform(
  wanted: Platform,
  offered: Platform,
  options: RankPlatformOptions = {},
): number | undefined {
  const want = normalizePlatform(wanted);
  const offer = normalizePlatform(offered);
  if (want.os !== offer.os) return undefined;
  const name = `${offer.architecture}/${offer.variant ?? ""}`;
  const rank = acceptable(want, options.allow32Bit ?? false).indexOf(name);
  return rank < 0 ? undefined : rank;
}

/** What does for a platform, best first, as `ARCH/VARIANT`. */
function acceptable(want: Platform, allow32Bit: boolean): readonly string[] {
  const { architecture, variant = "" } = want;
  if (architecture === "arm") return armFrom(variant);
  if (architecture === "amd64") {
    const levels = ["v4", "v3", "v2", ""];
    const start = levels.indexOf(variant);
    const own = start < 0 ? [variant] : levels.slice(start);
    return [...own.map((level) => `amd64/${level}`), ...(allow32Bit ? ["386/"] : [])];
  }
  if (architecture === "arm64") {
    const own = variant === "" ? [""] : [variant, ""];
    const arm = allow32Bit ? ["arm/v8", ...armFrom("v7")] : [];
    return [...own.map((level) => `arm64/${level}`), ...arm];
  }
  return [`${architecture}/${variant}`];
}

function armFrom(variant: string): readonly string[] {
  const levels = ["v8", "v7", "v6", "v5"];
  const start = levels.indexOf(variant);
  return (start < 0 ? [variant] : levels.slice(start)).map((level) => `arm/${level}`);
}
