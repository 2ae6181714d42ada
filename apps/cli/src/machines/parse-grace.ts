import { parseDuration } from "../command/duration.ts";

/** What `--grace` says; 0 asks the guest not at all. */
export function parseGrace(text: string | undefined): { readonly graceMs?: number } {
  if (text === undefined) return {};
  return { graceMs: /^0(ms|s|m|h)?$/.test(text) ? 0 : parseDuration(text, "--grace") };
}
