/** Carries a key's value type; never present at run time. */
declare const valueType: unique symbol;

/**
 * The name of a value that one task provides and others need, with the value's type.
 *
 * Two keys of the same name are the same value. Annotate a key with its type and let {@link key} fill it in:
 * `const layout: Key<"layout", Layout> = key("layout", { from: "filesystem" })`.
 */
export interface Key<Name extends string, Value> {
  /** The value's name among the inputs and outputs of tasks. */
  readonly name: Name;
  /** The label of the task that makes it, for the message when that task has not run. */
  readonly from?: string;
  /** Type only. */
  readonly [valueType]?: Value;
}

/** Any key. */
export type AnyKey = Key<string, unknown>;

/** The values under a union of keys, by name. */
export type ValuesOf<Keys extends AnyKey> = {
  readonly [K in Keys as K["name"]]: K extends Key<string, infer Value> ? Value : never;
};

/** Options of {@link key}. */
export interface KeyOptions {
  /** The label of the task that makes the value, such as `filesystem`. */
  readonly from?: string;
}

/** Makes a key. The value's type comes from the annotation of the result. */
export function key<Name extends string, Value>(
  name: Name,
  options: KeyOptions = {},
): Key<Name, Value> {
  return { name, ...(options.from === undefined ? {} : { from: options.from }) };
}
