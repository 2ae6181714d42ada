/**
 * Makes a value of what JSON held.
 *
 * @throws {@link Misfit} for what does not fit.
 */
export type ValueReader<T> = (value: unknown) => T;

/** Where a document is not as it should be, and why. */
export class Misfit extends Error {
  /** The keys and numbers that lead there, from the outside. */
  readonly path: readonly (string | number)[];

  constructor(problem: string, path: readonly (string | number)[] = []) {
    super(problem);
    this.path = path;
  }

  /** In words: `config.digest: expected string, received null`. */
  describe(): string {
    const path = this.path.join(".").slice(0, 200);
    return `${path === "" ? "" : `${path}: `}${this.message}`;
  }
}

/** The fields of an object; unknown ones may be there. */
export function readFields(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw expected("object", value);
}

/** A field that has to be there. */
export function readField<T>(
  fields: Readonly<Record<string, unknown>>,
  key: string,
  read: ValueReader<T>,
): T {
  return within(key, () => read(Object.hasOwn(fields, key) ? fields[key] : undefined));
}

/** A field that may be absent; null is something else. */
export function readOptionalField<T>(
  fields: Readonly<Record<string, unknown>>,
  key: string,
  read: ValueReader<T>,
): T | undefined {
  return Object.hasOwn(fields, key) ? readField(fields, key, read) : undefined;
}

/** A text of so many characters. */
export function readText(limits: { readonly min?: number; readonly max?: number } = {}) {
  const { min = 0, max = Number.POSITIVE_INFINITY } = limits;
  return (value: unknown): string => {
    if (typeof value !== "string") throw expected("string", value);
    if (value.length < min) throw new Misfit(`expected at least ${min} characters`);
    if (value.length > max) throw new Misfit(`expected at most ${max} characters`);
    return value;
  };
}

/** A whole number from 0 on that a `number` holds exactly. */
export function readCount(value: unknown): number {
  if (typeof value !== "number") throw expected("number", value);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Misfit(`expected a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
}

/** Yes or no. */
export function readFlag(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw expected("boolean", value);
}

/** Exactly this value. */
export function readExactly<const T>(wanted: T): ValueReader<T> {
  return (value) => {
    if (value === wanted) return wanted;
    throw new Misfit(`expected ${JSON.stringify(wanted)}`);
  };
}

/** A list of at most so many entries. */
export function readList<T>(
  read: ValueReader<T>,
  maxEntries: number = Number.POSITIVE_INFINITY,
): ValueReader<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw expected("array", value);
    if (value.length > maxEntries) throw new Misfit(`expected at most ${maxEntries} entries`);
    return value.map((entry: unknown, index) => within(index, () => read(entry)));
  };
}

/** Values by names. */
export function readMap<T>(read: ValueReader<T>): ValueReader<Record<string, T>> {
  return (value) => {
    const entries = Object.entries(readFields(value));
    return Object.fromEntries(entries.map(([key, one]) => [key, within(key, () => read(one))]));
  };
}

/** What Go programs write as null, or leave away, when there is nothing. */
export function readNullish<T>(read: ValueReader<T>): ValueReader<T | undefined> {
  return (value) => (value === null || value === undefined ? undefined : read(value));
}

function within<T>(key: string | number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new Misfit(error.message, [key, ...error.path]);
  }
}

function expected(type: string, value: unknown): Misfit {
  const found = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  return new Misfit(`expected ${type}, received ${found}`);
}
