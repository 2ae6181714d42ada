import { boxLayout, type HomeLayout } from "../home/layout.ts";
import type { StateDatabase } from "../state/database.ts";
import { getDisk } from "../state/disks-table.ts";
import { getMachine } from "../state/machines-table.ts";
import { listHistory, listOperations } from "../state/operations-table.ts";
import type { BoxDetails, BoxRecord, BoxSummary } from "./box.ts";

const operationsShown = 20;
const historyShown = 200;

/** A box as a list shows it. */
export function summarizeBox(box: BoxRecord): BoxSummary {
  return {
    id: box.id,
    name: box.name,
    state: box.state,
    image: box.image,
    guestRootfs: box.guestRootfs,
    labels: box.labels,
    autoRemove: box.autoRemove,
    run: box.run,
    restarts: box.restarts,
    stopRequested: box.stopRequested,
    ...(box.exit === undefined ? {} : { exit: box.exit }),
    createdAt: new Date(box.createdMs).toISOString(),
    updatedAt: new Date(box.updatedMs).toISOString(),
    ...(box.error === undefined ? {} : { error: box.error }),
  };
}

/** Everything about a box. */
export function describeBox(home: HomeLayout, database: StateDatabase, box: BoxRecord): BoxDetails {
  const layout = boxLayout(home, box.id);
  const user = getDisk(database, box.id, "user");
  const guest = getDisk(database, box.id, "guest");
  const machine = getMachine(database, box.id)?.record;
  return {
    ...summarizeBox(box),
    directory: layout.root,
    ...(box.imageConfig === undefined ? {} : { imageConfig: box.imageConfig }),
    disks: {
      ...(user === undefined ? {} : { user: { ...user, path: layout.userDisk } }),
      ...(guest === undefined ? {} : { guest: { ...guest, path: layout.guestDisk } }),
    },
    ...(machine === undefined ? {} : { machine }),
    operations: listOperations(database, { boxId: box.id, limit: operationsShown }),
    history: listHistory(database, box.id, historyShown),
  };
}
