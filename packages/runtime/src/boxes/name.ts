import { RuntimeError } from "../errors.ts";

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** The refusal of a name that another box has. */
export function nameTaken(name: string): RuntimeError {
  return new RuntimeError({
    code: "BOX_NAME_TAKEN",
    message: `there is a box ${name} already`,
    details: { name },
    hint: `choose another name, or remove it with "box rm ${name}"`,
  });
}

/** @throws RuntimeError `BOX_NAME_INVALID` unless it is 1 to 63 of `a-z 0-9 . _ -`, a letter or digit first. */
export function checkBoxName(name: string): void {
  if (namePattern.test(name)) return;
  throw new RuntimeError({
    code: "BOX_NAME_INVALID",
    message: `${JSON.stringify(name.slice(0, 100))} is no name for a box`,
    details: { name: name.slice(0, 100) },
    hint: "use 1 to 63 of the characters a-z, 0-9, dot, underscore and hyphen, a letter or digit first",
  });
}
