import type { NodeXattr } from "./attributes.ts";

/**
 * Sets of extended attributes, each kept once.
 *
 * Labels repeat: a million files with the same security label share one set.
 */
export class XattrPool {
  readonly #sets: (readonly NodeXattr[])[] = [[]];
  readonly #indexes: Map<string, number> = new Map();

  /** The index of a set, sorted by name; of several attributes with one name the last counts. */
  intern(xattrs: readonly NodeXattr[]): number {
    if (xattrs.length === 0) return 0;
    const byName = new Map<string, NodeXattr>();
    for (const xattr of xattrs) byName.set(textOf(xattr.name), xattr);
    const names = [...byName.keys()].sort();
    const sorted = names.map((name) => byName.get(name) as NodeXattr);
    const key = sorted
      .map(({ name, value }) => `${name.length}:${textOf(name)}${value.length}:${textOf(value)}`)
      .join("");
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    this.#indexes.set(key, this.#sets.length);
    this.#sets.push(
      sorted.map(({ name, value }) => ({
        name: new Uint8Array(name),
        value: new Uint8Array(value),
      })),
    );
    return this.#sets.length - 1;
  }

  /** The set of an index, sorted by name. */
  get(index: number): readonly NodeXattr[] {
    return this.#sets[index] as readonly NodeXattr[];
  }
}

/** One character per byte, so that equal texts are equal bytes. */
function textOf(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) {
    text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  }
  return text;
}
