import { RuntimeError } from "../errors.ts";

/** Labels of a box, by name. */
export type Labels = Readonly<Record<string, string>>;

/** A label that a box must have; with any value unless one is given. */
export interface LabelFilter {
  /** Its name. */
  readonly name: string;
  /** Its value. */
  readonly value?: string;
}

const namePattern = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?$/;
const maxLabels = 64;
const maxValueBytes = 4096;

/**
 * Refuses labels that are none.
 *
 * @throws RuntimeError `BOX_LABEL_INVALID` unless there are at most 64, each name is 1 to 128 of `A-Z a-z 0-9 . _ / -`, a letter
 * or digit at both ends, and each value is at most 4096 bytes without control characters.
 */
export function checkLabels(labels: Labels): void {
  const entries = Object.entries(labels);
  if (entries.length > maxLabels) throw invalid(`a box has at most ${maxLabels} labels`, "");
  for (const [name, value] of entries) {
    if (!namePattern.test(name))
      throw invalid(`${JSON.stringify(name)} is no name for a label`, name);
    if (
      typeof value !== "string" ||
      hasControl(value) ||
      Buffer.byteLength(value) > maxValueBytes
    ) {
      throw invalid(
        `the value of label ${name} is no text, too long or has control characters`,
        name,
      );
    }
  }
}

/** Whether a box has every one of the labels. */
export function hasLabels(labels: Labels, filters: readonly LabelFilter[]): boolean {
  return filters.every(({ name, value }) => {
    const found = Object.hasOwn(labels, name) ? labels[name] : undefined;
    return found !== undefined && (value === undefined || found === value);
  });
}

function hasControl(value: string): boolean {
  return [...value].some((char) => char < " " || (char >= "\u007f" && char < "\u00a0"));
}

function invalid(message: string, name: string): RuntimeError {
  return new RuntimeError({
    code: "BOX_LABEL_INVALID",
    message,
    details: { name: name.slice(0, 200) },
    hint: "write a label as NAME=VALUE: letters, digits, dot, underscore, slash and hyphen in the name",
  });
}
