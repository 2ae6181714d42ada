// From the text of a package's src/errors.ts to the table in its README.
import { kindOutcomes } from "../../packages/errors/src/index.ts";

/**
 * @typedef {object} ErrorCode
 * @property {string} code
 * @property {string} kind
 * @property {string} meaning - What follows the kind in the comment of the union, often nothing.
 */

const begin = "<!-- errors:start -->";
const end = "<!-- errors:end -->";

/**
 * Reads the union of codes (`| "IO_FAILED" // io: meaning`) and the record of kinds (`IO_FAILED: "io",`).
 *
 * @param {string} text
 * @param {string} path - For messages.
 * @returns {ErrorCode[]} In the order of the union.
 * @throws {Error} When the two disagree or a kind does not exist.
 */
export function readErrorCodes(text, path) {
  const kinds = new Map(
    [...text.matchAll(/^ {2}([A-Z][A-Z0-9_]+): "([a-z-]+)",?$/gm)].map((match) => [
      match[1] ?? "",
      match[2] ?? "",
    ]),
  );
  const union =
    /^\s*(?:\||export type \w+ErrorCode =) ?"([A-Z][A-Z0-9_]+)";?(?: *\/\/ *([a-z-]+)(?:[:;,] *(.*))?)?$/gm;
  const codes = [...text.matchAll(union)].map(([, code = "", kind, meaning = ""]) => {
    const actual = kinds.get(code);
    if (actual === undefined) throw new Error(`${path}: ${code} has no kind`);
    if (!Object.hasOwn(kindOutcomes, actual)) throw new Error(`${path}: no kind ${actual}`);
    if (kind !== undefined && kind !== actual) {
      throw new Error(`${path}: ${code} is ${actual}, its comment says ${kind}`);
    }
    return { code, kind: actual, meaning: meaning.trim() };
  });
  if (codes.length !== kinds.size) {
    throw new Error(`${path}: ${codes.length} codes in the union, ${kinds.size} in the record`);
  }
  return codes;
}

/**
 * Puts the table between its marks, or under a heading of its own at the end.
 *
 * @param {string} readme
 * @param {readonly ErrorCode[]} codes
 * @returns {string}
 */
export function withErrorTable(readme, codes) {
  const table = `${begin}\n\n${tableOf(codes)}\n${end}`;
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from === -1 || to < from) return `${readme.trimEnd()}\n\n## Errors\n\n${table}\n`;
  return readme.slice(0, from) + table + readme.slice(to + end.length);
}

/** @param {readonly ErrorCode[]} codes */
function tableOf(codes) {
  const hasMeanings = codes.some(({ meaning }) => meaning !== "");
  const head = ["Code", "Kind", "Exit code", "HTTP", ...(hasMeanings ? ["Meaning"] : [])];
  const rows = codes.map(({ code, kind, meaning }) => {
    const outcome = kindOutcomes[/** @type {keyof typeof kindOutcomes} */ (kind)];
    const cells = [`\`${code}\``, kind, outcome.exitCode, outcome.httpStatus];
    return hasMeanings ? [...cells, meaning.replaceAll("|", "\\|")] : cells;
  });
  return [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |\n`)
    .join("");
}
