import { findBox, renameBox as renameRow } from "../state/boxes-table.ts";
import type { BoxRecord } from "./box.ts";
import type { BoxChange } from "./box-work.ts";
import { nameTaken } from "./name.ts";

/** Gives a box another name: in one step, with the operation's record. */
export function renameChange(
  found: { readonly id: string },
  newName: string,
  nowMs: () => number,
): BoxChange<void> {
  return {
    kind: "rename",
    doing: "renaming",
    usesDisks: false,
    begin: (database) => {
      const holder = findBox(database, newName);
      if (holder !== undefined && holder.id !== found.id) throw nameTaken(newName);
      renameRow(database, found.id, newName, nowMs());
    },
    run: async ({ name }: BoxRecord, context) => {
      context.emit({
        type: "change",
        name: "box.renamed",
        level: "info",
        message: `renamed box ${name} to ${newName}`,
        details: { from: name, to: newName },
      });
    },
  };
}
