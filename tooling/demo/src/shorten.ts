/**
 * Makes a line fit for reading: `HOME` instead of the home's path, and identifiers and keys, which are 32 and
 * 64 digits long, without their ends.
 */
export function shorten(line: string, home: string): string {
  return line
    .replaceAll(home, "HOME")
    .replace(/[0-9a-f]{32,}/g, (digits) => `${digits.slice(0, digits.length < 64 ? 8 : 12)}…`);
}
