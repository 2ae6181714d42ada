/** The marker of "no entry", "no node" and "all of the file is data". */
export const none = 0xffffffff;

/** A copy of a typed array with more room. */
export function grown<Kind extends Column>(column: Kind, capacity: number): Kind {
  const make = column.constructor as new (length: number) => Kind;
  const larger = new make(capacity);
  larger.set(column as never);
  return larger;
}

interface Column {
  readonly constructor: unknown;
  set(source: never): void;
}
