import type { LabelFilter, Labels } from "@box/runtime";
import { CliError } from "../errors.ts";

/** Labels of texts such as `tier=front`; without a value it is empty, and the last of a name counts. */
export function parseLabels(texts: readonly string[]): Labels {
  const entries = texts.map((text) => {
    const at = text.indexOf("=");
    return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
  });
  return Object.fromEntries(entries) as Labels;
}

/** Labels as one text, such as `tier=front, team`. */
export function formatLabels(labels: Labels): string {
  const texts = Object.entries(labels).map(([name, value]) =>
    value === "" ? name : `${name}=${value}`,
  );
  return texts.join(", ");
}

/**
 * What `--filter` asks for: `label=NAME` or `label=NAME=VALUE`.
 *
 * @throws {@link CliError} `CLI_INVALID_ARGUMENT`
 */
export function parseLabelFilter(text: string): LabelFilter {
  const [, name, value] = /^label=([^=]+)(?:=(.*))?$/s.exec(text) ?? [];
  if (name !== undefined) return { name, ...(value === undefined ? {} : { value }) };
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `--filter: not a filter: ${JSON.stringify(text)}`,
    hint: "write label=NAME or label=NAME=VALUE",
  });
}
