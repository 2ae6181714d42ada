import * as z from "zod";

/**
 * Has schemas of all packages interpreted, not compiled. Most are used once in a run (manifests, settings and the
 * like): compiling them takes longer than it saves.
 */
export function interpretSchemas(): void {
  z.config({ jitless: true });
}
