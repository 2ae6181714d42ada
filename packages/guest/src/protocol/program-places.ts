/** The folders of a command that has no `PATH`. */
const usualFolders = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Of a path, in bytes, without its end. */
const longestPath = 4095;

/**
 * Where a program may be, in the order that it is tried in: its name when that has a slash, else the folders of the command's `PATH`,
 * of which an empty one is the working folder.
 *
 * @param environment - `NAME=VALUE`; the last one of a name counts.
 */
export function programPlaces(program: string, environment: readonly string[]): readonly string[] {
  if (program.includes("/")) return [program];
  if (program === "") return [];
  const path = environment.findLast((entry) => entry.startsWith("PATH="))?.slice("PATH=".length);
  return (path ?? usualFolders)
    .split(":")
    .map((folder) => `${folder || "."}/${program}`)
    .filter((place) => new TextEncoder().encode(place).byteLength <= longestPath);
}
