import type { MemoryBudget } from "../bytes/budget.ts";
import { type Name, nameKey } from "../bytes/name-index.ts";
import type { SourceReader } from "../bytes/source-reader.ts";
import { toDisplayText } from "../bytes/text.ts";
import type { Header } from "../header/parse.ts";
import type { LiveHeader } from "../inspect/live-header.ts";
import { SnapshotIndex } from "./find.ts";
import type { SnapshotEntry } from "./parse.ts";
import { readSnapshotTable } from "./read-table.ts";
import { SnapshotLife } from "./snapshot-life.ts";

/**
 * Finds the snapshots of an open image for those who read them, and knows which were deleted since. The table is read
 * when it is first asked for, and anew when the header has changed, as it does with every change of the snapshots.
 */
export class OpenSnapshots {
  readonly #reader: SourceReader;
  readonly #header: LiveHeader;
  readonly #newBudget: () => MemoryBudget;
  readonly #lives = new Map<string, SnapshotLife>();
  #known: { readonly header: Header; readonly index: Promise<SnapshotIndex> } | undefined;

  constructor(reader: SourceReader, header: LiveHeader, newBudget: () => MemoryBudget) {
    this.#reader = reader;
    this.#header = header;
    this.#newBudget = newBudget;
  }

  /**
   * Finds a snapshot by its id, or by its name when no id matches.
   *
   * @throws {@link Qcow2Error} `QCOW2_SNAPSHOT_NOT_FOUND`, or what reading the snapshot table fails with.
   */
  async find(idOrName: Name): Promise<{ entry: SnapshotEntry; life: SnapshotLife }> {
    for (;;) {
      const { header } = this.#header;
      const index = await this.#indexOf(header);
      // What was deleted meanwhile must not be read: its clusters are about to be used for something else.
      if (this.#header.header !== header) continue;
      const entry = index.find(idOrName);
      const key = nameKey(entry.id);
      const life = this.#lives.get(key) ?? new SnapshotLife(toDisplayText(entry.id));
      this.#lives.set(key, life);
      return { entry, life };
    }
  }

  /** Told that a snapshot was deleted. */
  end({ id }: SnapshotEntry): void {
    const key = nameKey(id);
    this.#lives.get(key)?.end();
    this.#lives.delete(key);
  }

  /** A read that failed is done again the next time. */
  #indexOf(header: Header): Promise<SnapshotIndex> {
    if (this.#known?.header === header) return this.#known.index;
    const known = { header, index: this.#read(header) };
    this.#known = known;
    known.index.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    return known.index;
  }

  async #read(header: Header): Promise<SnapshotIndex> {
    const { entries } = await readSnapshotTable(this.#reader, header, this.#newBudget());
    return new SnapshotIndex(entries);
  }
}
