import { CliError } from "../../errors.ts";
import { loadCatalog } from "../../explain/catalog.ts";
import type { Paint } from "../../output/paint.ts";
import { formatTable } from "../../output/table.ts";
import type { ExplainInput, ExplainOutput } from "./schemas.ts";

/** Finds the pages. */
export async function run({ code }: ExplainInput): Promise<ExplainOutput> {
  const all = await loadCatalog();
  if (code === undefined) return all;
  const wanted = code.toUpperCase();
  const found = all.filter((entry) => entry.code === wanted);
  if (found.length > 0) return found;
  const start = wanted.slice(0, wanted.indexOf("_") + 1);
  const near = all.filter((entry) => start !== "" && entry.code.startsWith(start));
  throw new CliError({
    code: "CLI_UNKNOWN_CODE",
    message: `no error has the code ${JSON.stringify(code)}`,
    hint:
      near.length === 0
        ? "run: box explain"
        : `codes with this start: ${near.map((entry) => entry.code).join(", ")}`,
  });
}

/** A page for one code, a list for several. */
export function text(entries: ExplainOutput, paint: Paint): string {
  const [only, ...others] = entries;
  if (only === undefined) return "";
  if (others.length > 0) {
    return formatTable(
      ["CODE", "KIND", "EXIT", "HTTP"],
      entries.map(({ code, kind, exitCode, httpStatus }) => [
        code,
        kind,
        `${exitCode}`,
        `${httpStatus}`,
      ]),
    );
  }
  return [
    paint.bold(only.code),
    `kind ${only.kind}, exit code ${only.exitCode}, HTTP status ${only.httpStatus}, from ${only.package}`,
    "",
    only.meaning,
    "",
    only.advice,
  ].join("\n");
}

/** The codes alone. */
export function identifiers(entries: ExplainOutput): readonly string[] {
  return entries.map(({ code }) => code);
}
