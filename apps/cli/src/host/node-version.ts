/** The oldest Node.js that box runs on; package.json says the same. */
const oldest = [22, 22, 2] as const;

/** What to tell somebody whose Node.js is too old to run box; nothing when it is not. */
export function tooOldNode(version: string): string | undefined {
  const parts = version.split(".").map((part) => Number.parseInt(part, 10));
  const at = oldest.findIndex((wanted, index) => parts[index] !== wanted);
  if (at < 0 || (parts[at] ?? 0) > (oldest[at] ?? 0)) return undefined;
  return `box needs Node.js ${oldest.join(".")} or newer, and this is ${version}: see https://nodejs.org`;
}
