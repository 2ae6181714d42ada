import type { CatalogEntry } from "../explain/catalog.ts";

/** The reference of all error codes as one Markdown page. */
export function renderErrorPages(entries: readonly CatalogEntry[]): string {
  return `${[
    "# Error codes",
    "Made from the packages' code tables by the tests of `@box/cli`; run them with `-u` after a change.",
    ...entries.map(renderEntry),
  ].join("\n\n")}\n`;
}

function renderEntry(entry: CatalogEntry): string {
  return [
    `## ${entry.code}`,
    `Kind \`${entry.kind}\`, exit code ${entry.exitCode}, HTTP status ${entry.httpStatus}, from \`${entry.package}\`.`,
    entry.meaning,
    entry.advice,
  ].join("\n\n");
}
