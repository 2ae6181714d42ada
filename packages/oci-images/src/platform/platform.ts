import type { Platform } from "@box/oras";
import { ImageError } from "../errors.ts";

const architectureNames: ReadonlyMap<string, string> = new Map([
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["x64", "amd64"],
  ["aarch64", "arm64"],
  ["i386", "386"],
  ["ia32", "386"],
  ["armhf", "arm"],
  ["armel", "arm"],
]);

/**
 * Parses `OS/ARCH[/VARIANT]` or `ARCH`, with the usual other names of CPUs.
 *
 * @throws {@link ImageError} `OCI_INVALID_PLATFORM`.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(part))) {
    throw new ImageError({
      code: "OCI_INVALID_PLATFORM",
      message: `cannot parse platform ${JSON.stringify(text.slice(0, 100))}`,
      hint: "platforms look like linux/amd64 or linux/arm/v7",
    });
  }
  const [first = "", second, third] = parts;
  if (second === undefined) return normalizePlatform({ os: "linux", architecture: first });
  const variant = third === undefined ? {} : { variant: third };
  return normalizePlatform({ os: first, architecture: second, ...variant });
}

/** Writes a platform as `OS/ARCH[/VARIANT]`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}

/** The platform of a Linux guest on a host whose CPU Node.js names so. */
export function platformOfArch(nodeArch: string): Platform {
  return normalizePlatform({ os: "linux", architecture: nodeArch });
}

/** One name for each CPU and variant: arm64/v8 and amd64/v1 are the plain ones, arm without a variant is v7. */
export function normalizePlatform(platform: Platform): Platform {
  const lower = platform.architecture.toLowerCase();
  const architecture = architectureNames.get(lower) ?? lower;
  const implied = lower === "armel" ? "v6" : undefined;
  const variant = normalizeVariant(architecture, platform.variant?.toLowerCase() ?? implied);
  const { variant: _variant, ...rest } = platform;
  return {
    ...rest,
    os: platform.os.toLowerCase() === "macos" ? "darwin" : platform.os.toLowerCase(),
    architecture,
    ...(variant === undefined ? {} : { variant }),
  };
}

function normalizeVariant(architecture: string, variant: string | undefined): string | undefined {
  const named = variant === "" ? undefined : variant;
  if (architecture === "arm") return /^\d$/.test(named ?? "") ? `v${named}` : (named ?? "v7");
  if (architecture === "arm64") return named === "v8" || named === "8" ? undefined : named;
  if (architecture === "amd64") return named === "v1" ? undefined : named;
  return named;
}
