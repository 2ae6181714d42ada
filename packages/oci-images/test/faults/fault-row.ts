import type { ImageErrorCode } from "@box/oci-images";
import type { OrasErrorCode } from "@box/oras";
import type { Fault, Injection, Place } from "./faulty-registry.ts";

/** Every fault that a pull must heal from or fail from in bounded time. The table has rows for each of them. */
export const requiredFaults = [
  "drops",
  "resets",
  "stalls",
  "truncation with the right length",
  "truncation without the right length",
  "extra bytes",
  "one corrupt byte once",
  "one corrupt byte always",
  "wrong lengths",
  "wrong digests",
  "wrong types",
  "401 in mid-pull",
  "403",
  "408",
  "416",
  "429 with seconds",
  "429 with a date",
  "5xx once",
  "5xx for ever",
  "redirect chains",
  "redirect loops",
  "redirect downgrades",
  "200 for a Range",
  "206 with a wrong start",
  "endless manifests",
  "endless tokens",
  "wrong pagination",
  "looping pagination",
  "manifest confusion",
  "path-like digests",
  "index loops",
  "10,000 layers",
  "deep JSON",
  "__proto__",
] as const;

/** A row of the table: what goes wrong, and what is expected then. */
export interface FaultRow {
  /** The fault that it is an instance of. */
  readonly fault: (typeof requiredFaults)[number];
  /** Where and how. */
  readonly title: string;
  readonly faults: readonly Fault[];
  /** Whether the image arrives whole, or the code of the failure. */
  readonly outcome: "heals" | OrasErrorCode | ImageErrorCode;
  /** The requests to the place of the first fault, or to the one that is named. */
  readonly tries?: number;
  readonly counted?: Place;
  /** How long the client waits between tries, by its own clock. */
  readonly waitsMs?: readonly number[];
  /** What is asked of the registry; an image is pulled unless given. */
  readonly asks?: "tags" | "referrers";
  /** What the server of somebody else answers; 404 unless given. */
  readonly elsewhere?: Injection;
  /** The registry serves https. */
  readonly isSecure?: boolean;
  /** The client's time-outs are short. */
  readonly isImpatient?: boolean;
}
