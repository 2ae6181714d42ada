/** One entry of an environment: name and value. */
export type EnvironmentEntry = readonly [name: string, value: string];

/**
 * Splits the environment of an image's config at the first `=` of each entry.
 *
 * Entries without `=` are dropped. Order and duplicates are kept; a config without an environment gives none.
 */
export function splitEnvironment(env: readonly string[] | null | undefined): EnvironmentEntry[] {
  return (env ?? []).flatMap((entry) => {
    const at = entry.indexOf("=");
    return at === -1 ? [] : [[entry.slice(0, at), entry.slice(at + 1)] as const];
  });
}
