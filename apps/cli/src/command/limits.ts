import { CliError } from "../errors.ts";
import { parseDuration } from "./duration.ts";
import { parseSize } from "./size.ts";

/** What `--limit` may change, by the part of box that takes it. */
export interface GivenLimits {
  /** Of images and image layouts. */
  readonly images: Readonly<Record<string, number>>;
  /** Of how far layers may expand. */
  readonly layers: Readonly<Record<string, number>>;
  /** Of what registries say. */
  readonly registry: Readonly<Record<string, number>>;
  /** Of how failures are tried again. */
  readonly retry: Readonly<Record<string, number>>;
  /** Of connections to registries, and where they lead. */
  readonly connections: Readonly<Record<string, number>>;
  /** Of what comes out of boxes. */
  readonly copies: Readonly<Record<string, number>>;
}

interface LimitSpec {
  readonly name: string;
  readonly unit: "bytes" | "count" | "duration";
  /** Every option that it sets. */
  readonly sets: readonly (readonly [keyof GivenLimits, string])[];
}

/** Defaults are where the options are; `box help` and the README list the names. */
const specs: readonly LimitSpec[] = [
  { name: "layers", unit: "count", sets: [["images", "maxLayers"]] },
  { name: "index-depth", unit: "count", sets: [["images", "maxIndexDepth"]] },
  { name: "candidates", unit: "count", sets: [["images", "maxCandidates"]] },
  { name: "index-size", unit: "bytes", sets: [["images", "maxIndexBytes"]] },
  {
    name: "manifest-size",
    unit: "bytes",
    sets: [
      ["images", "maxManifestBytes"],
      ["registry", "maxManifestBytes"],
    ],
  },
  { name: "layer-size", unit: "bytes", sets: [["layers", "maxTarBytes"]] },
  { name: "layer-ratio", unit: "count", sets: [["layers", "maxRatio"]] },
  { name: "layer-ratio-from", unit: "bytes", sets: [["layers", "ratioFromBytes"]] },
  { name: "layer-frames", unit: "count", sets: [["layers", "maxFrames"]] },
  { name: "layer-window", unit: "bytes", sets: [["layers", "maxWindowBytes"]] },
  { name: "token-size", unit: "bytes", sets: [["registry", "maxTokenBytes"]] },
  { name: "error-size", unit: "bytes", sets: [["registry", "maxErrorBodyBytes"]] },
  { name: "page-size", unit: "bytes", sets: [["registry", "maxPageBytes"]] },
  { name: "pages", unit: "count", sets: [["registry", "maxPages"]] },
  { name: "tries", unit: "count", sets: [["retry", "attempts"]] },
  { name: "retry-wait", unit: "duration", sets: [["retry", "baseMs"]] },
  { name: "longest-wait", unit: "duration", sets: [["retry", "capMs"]] },
  { name: "retry-time", unit: "duration", sets: [["retry", "budgetMs"]] },
  { name: "retry-after", unit: "duration", sets: [["retry", "maxRetryAfterMs"]] },
  { name: "connect-time", unit: "duration", sets: [["connections", "connectTimeoutMs"]] },
  { name: "header-time", unit: "duration", sets: [["connections", "headersTimeoutMs"]] },
  { name: "idle-time", unit: "duration", sets: [["connections", "idleTimeoutMs"]] },
  { name: "connections", unit: "count", sets: [["connections", "connectionsPerOrigin"]] },
  { name: "redirects", unit: "count", sets: [["connections", "maxRedirects"]] },
  { name: "copy-entries", unit: "count", sets: [["copies", "maxEntries"]] },
  { name: "copy-size", unit: "bytes", sets: [["copies", "maxBytes"]] },
];

/** The names that `--limit` knows. */
export const limitNames: readonly string[] = specs.map(({ name }) => name);

/**
 * Parses texts such as `layers=2000`, `manifest-size=8MiB` or `idle-time=1m`; of two with one name the last counts.
 *
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT`
 */
export function parseLimits(texts: readonly string[]): GivenLimits {
  const limits: Record<keyof GivenLimits, Record<string, number>> = {
    images: {},
    layers: {},
    registry: {},
    retry: {},
    connections: {},
    copies: {},
  };
  for (const text of texts) {
    const [, name, value = ""] = /^([a-z-]+)=(.+)$/.exec(text) ?? [];
    const spec = specs.find((one) => one.name === name);
    if (spec === undefined) throw unknownLimit(text);
    const limit = parsers[spec.unit](value, `--limit ${spec.name}`);
    for (const [part, key] of spec.sets) limits[part][key] = limit;
  }
  return limits;
}

const parsers: Readonly<Record<LimitSpec["unit"], (text: string, label: string) => number>> = {
  bytes: parseSize,
  count: parseCount,
  duration: parseDuration,
};

function parseCount(text: string, label: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${label}: not a number: ${JSON.stringify(text)}`,
    hint: "write a whole number from 1 on",
  });
}

function unknownLimit(text: string): CliError {
  return new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `--limit: not a known limit and its value: ${JSON.stringify(text)}`,
    hint: `write NAME=VALUE, such as layers=2000; the names are ${limitNames.join(", ")}`,
  });
}
