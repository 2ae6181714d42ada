/** What a value of JSON must be: of a type, or an object with such fields and any others. */
export type Shape = "string" | "number" | "boolean" | { readonly [name: string]: Shape };

/** A value of a shape. */
export type Shaped<S extends Shape> = S extends "string"
  ? string
  : S extends "number"
    ? number
    : S extends "boolean"
      ? boolean
      : { readonly [K in keyof S]: S[K] extends Shape ? Shaped<S[K]> : never };

/**
 * Whether a value is of a shape. A schema library can do more, and loading it takes a fifth of the time in which a machine starts
 * from a template.
 */
export function isShaped<const S extends Shape>(value: unknown, shape: S): value is Shaped<S> {
  if (typeof shape === "string") return typeof value === shape;
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(shape).every(([name, field]) =>
    isShaped((value as Readonly<Record<string, unknown>>)[name], field),
  );
}

/** What a text says in JSON; undefined for one that is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
