import type { CommandContext, ValueSource } from "../command/define-command.ts";
import type { Candidate } from "./complete.ts";

/** Values that the shell offers: error codes. A failure offers nothing. */
export async function loadValues(
  source: ValueSource,
  _context: CommandContext,
): Promise<readonly Candidate[]> {
  if (source !== "codes") return [];
  const { loadCatalog } = await import("../explain/catalog.ts");
  return (await loadCatalog()).map(({ code, kind }) => ({ value: code, summary: kind }));
}
