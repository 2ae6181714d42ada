// Compares versions with ranges as npm does, for the start-up script, which has no dependencies.

/**
 * Whether a version is within a range such as `^22.22.2 || ^24.15.0 || >=26`.
 *
 * Knows `||`, lists of comparators, `^`, `~`, `>`, `>=`, `<`, `<=`, `=`, and versions cut short (`24`, `24.x`, `*`).
 * A pre-release fits no range. Anything else in a range is an error, never a guess.
 *
 * @param {string} version - Three numbers, with or without a leading `v`.
 * @param {string} range
 * @returns {boolean}
 */
export function satisfies(version, range) {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(-[^+]*)?(\+.*)?$/.exec(version.trim());
  if (match === null) throw new Error(`not a version: ${version}`);
  const parts = [Number(match[1]), Number(match[2]), Number(match[3])];
  const sets = range.split("||").map(comparators);
  if (match[4] !== undefined) return false;
  return sets.some((set) => set.every(([from, to]) => !isBelow(parts, from) && isBelow(parts, to)));
}

/** The first version past every other. */
const end = [Number.POSITIVE_INFINITY, 0, 0];

/**
 * @param {string} set - Comparators that must all hold.
 * @returns {[from: number[], to: number[]][]} The first version that fits and the first past it.
 */
function comparators(set) {
  const words = set.trim().replaceAll(/([<>=^~])\s+/g, "$1");
  if (words === "") return [[[0, 0, 0], end]];
  return words.split(/\s+/).map((word) => {
    const match = /^(\^|~|>=|<=|>|<|=)?v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?$/.exec(
      word,
    );
    if (match === null) throw new Error(`not a version range: ${word}`);
    const given = [match[2], match[3], match[4]].filter((part) => /^\d+$/.test(part ?? ""));
    return interval(match[1] ?? "", given.map(Number));
  });
}

/**
 * @param {string} operator
 * @param {number[]} given - The numbers that the range names, none to three.
 * @returns {[from: number[], to: number[]]}
 */
function interval(operator, given) {
  const from = [given[0] ?? 0, given[1] ?? 0, given[2] ?? 0];
  /** The first version that does not begin with the given numbers. */
  const past = given.length === 0 ? end : raised(from, given.length - 1);
  switch (operator) {
    case ">=":
      return [from, end];
    case ">":
      return [past, end];
    case "<":
      return [[0, 0, 0], from];
    case "<=":
      return [[0, 0, 0], past];
    case "^": {
      if (given.length === 0) return [from, end];
      const significant = from.findIndex((part) => part > 0);
      const last = given.length - 1;
      return [from, raised(from, significant === -1 ? last : Math.min(significant, last))];
    }
    case "~":
      return [from, given.length === 0 ? end : raised(from, Math.min(given.length - 1, 1))];
    default:
      return [from, past];
  }
}

/**
 * @param {number[]} parts
 * @param {number} index - The part to count up; those behind it become 0.
 * @returns {number[]}
 */
function raised(parts, index) {
  return parts.map((part, at) => (at < index ? part : at === index ? part + 1 : 0));
}

/**
 * @param {number[]} a
 * @param {number[]} b
 * @returns {boolean}
 */
function isBelow(a, b) {
  for (let index = 0; index < 3; index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
