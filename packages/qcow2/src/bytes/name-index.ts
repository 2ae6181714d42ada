import { toDisplayText, toNameBytes } from "./text.ts";

/** A name as it is stored, or as text: its UTF-8 bytes, or what is shown of it. */
export type Name = Uint8Array | string;

/**
 * Finds things by names that are bytes. Where several have the same bytes, the first one counts.
 *
 * A text that is no name may also be what is shown of one (see {@link toDisplayText}), unless several look like that.
 */
export class NameIndex<Item> {
  readonly #exact = new Map<string, Item>();
  readonly #shown = new Map<string, Item | undefined>();

  constructor(items: readonly Item[], nameOf: (item: Item) => Uint8Array) {
    for (const item of items) {
      const name = nameOf(item);
      const key = nameKey(name);
      if (this.#exact.has(key)) continue;
      this.#exact.set(key, item);
      const shown = toDisplayText(name);
      this.#shown.set(shown, this.#shown.has(shown) ? undefined : item);
    }
  }

  /** The thing of a name; `undefined` when there is none. */
  find(name: Name): Item | undefined {
    const exact = this.#exact.get(nameKey(toNameBytes(name)));
    if (exact !== undefined || typeof name !== "string") return exact;
    return this.#shown.get(name);
  }
}

const latin1 = new TextDecoder("latin1");

/** A text that two names share exactly when their bytes are the same. */
export function nameKey(name: Uint8Array): string {
  return latin1.decode(name);
}

/** A name for people and for messages. */
export function shownName(name: Name): string {
  return typeof name === "string" ? name : toDisplayText(name);
}

/**
 * Finds a bitmap or a snapshot in a list by its name: by its bytes, or by what is shown of it where only one looks like
 * that.
 *
 * @returns The first one of that name; `undefined` when there is none.
 */
export function findByName<Item extends { readonly nameBytes: Uint8Array }>(
  items: readonly Item[],
  name: Uint8Array | string,
): Item | undefined {
  return new NameIndex(items, ({ nameBytes }) => nameBytes).find(name);
}
