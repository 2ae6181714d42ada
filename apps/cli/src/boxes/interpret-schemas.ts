/** What all copies of zod in a process share, as `z.config` changes it. */
interface SharedSettings {
  __zod_globalConfig?: { jitless?: boolean };
}

/**
 * Has schemas of all packages interpreted, not compiled. Most are used once in a run (manifests, settings and the
 * like): compiling them takes longer than it saves.
 *
 * The same as `z.config({ jitless: true })`, without loading zod: most commands need none of it.
 */
export function interpretSchemas(): void {
  const shared = globalThis as SharedSettings;
  shared.__zod_globalConfig ??= {};
  shared.__zod_globalConfig.jitless = true;
}
