import { RuntimeError } from "../errors.ts";
import type { Row } from "./database.ts";

/** No date is further from 1970. */
const latestMs = 8_640_000_000_000_000;

/** Reads columns of a row, and tells a damaged state when one does not hold what belongs there. */
export class Columns {
  readonly #table: string;
  readonly #row: Row;

  constructor(table: string, row: Row) {
    this.#table = table;
    this.#row = row;
  }

  /** A text. */
  text(name: string): string {
    const value = this.#row[name];
    return typeof value === "string" ? value : this.#damaged(name, "a text");
  }

  /** A text, when there is one. */
  optionalText(name: string): string | undefined {
    return this.#row[name] === null ? undefined : this.text(name);
  }

  /** A whole number. */
  number(name: string): number {
    const value = this.#row[name];
    return typeof value === "number" ? value : this.#damaged(name, "a number");
  }

  /** A whole number, when there is one. */
  optionalNumber(name: string): number | undefined {
    return this.#row[name] === null ? undefined : this.number(name);
  }

  /** A yes or no. */
  flag(name: string): boolean {
    const value = this.number(name);
    return value === 0 || value === 1 ? value === 1 : this.#damaged(name, "0 or 1");
  }

  /** A moment, in milliseconds since 1970. */
  time(name: string): number {
    const value = this.number(name);
    return Math.abs(value) <= latestMs ? value : this.#damaged(name, "a time");
  }

  /** A moment, when there is one. */
  optionalTime(name: string): number | undefined {
    return this.#row[name] === null ? undefined : this.time(name);
  }

  /** One of a list of texts. */
  oneOf<Value extends string>(name: string, values: readonly Value[]): Value {
    const text = this.text(name);
    return values.find((value) => value === text) ?? this.#damaged(name, values.join(" or "));
  }

  /** A JSON object, as this program wrote it. */
  json<Value extends object>(name: string): Value {
    let value: unknown;
    try {
      value = JSON.parse(this.text(name));
    } catch (error) {
      return this.#damaged(name, "JSON", error);
    }
    if (typeof value !== "object" || value === null) return this.#damaged(name, "a JSON object");
    return value as Value;
  }

  /** A JSON object, when there is one. */
  optionalJson<Value extends object>(name: string): Value | undefined {
    return this.#row[name] === null ? undefined : this.json(name);
  }

  #damaged(column: string, expected: string, cause?: unknown): never {
    throw new RuntimeError({
      code: "STATE_CORRUPT",
      message: `the state is damaged: column ${column} of table ${this.#table} does not hold ${expected}`,
      details: { table: this.#table, column },
      hint: "put a backup of state.db in its place, or use another home; the disks below boxes/ are not affected",
      cause,
    });
  }
}
