import * as z from "zod";

/**
 * Has schemas of all packages interpreted, not compiled. Most are used once in a run (the words of the command line,
 * manifests, settings): compiling them takes longer than it saves.
 */
export function interpretSchemas(): void {
  z.config({ jitless: true });
}
