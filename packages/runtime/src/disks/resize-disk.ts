import type { BoxChange } from "../boxes/box-work.ts";
import { checkDiskSize } from "../boxes/setting.ts";
import { RuntimeError } from "../errors.ts";
import type { InitServices } from "../init/services.ts";
import { setDiskSize } from "../state/disks-table.ts";
import { withUserImage } from "./user-image.ts";

/** What growing a disk did, in bytes. */
export interface DiskSizes {
  /** Size of the disk before. */
  readonly oldSizeBytes: number;
  /** Size of the disk now. The file system on it keeps its own size until the guest grows it. */
  readonly virtualSizeBytes: number;
}

/** Grows the user's disk of a box. The same size is no failure; a smaller one is: `BOX_DISK_SHRINKS`, and none: `BOX_SETTING_INVALID`. */
export function resizeChange(services: InitServices, sizeBytes: number): BoxChange<DiskSizes> {
  checkDiskSize(sizeBytes);
  return {
    kind: "resize",
    doing: "resizing",
    usesDisks: true,
    run: async (box, context) => {
      const { signal } = context;
      const oldSizeBytes = await withUserImage(
        services,
        box,
        { mode: "rw", signal },
        async (image) => {
          const before = await image.size();
          if (sizeBytes < before) throw shrinks(box.name, before, sizeBytes);
          if (sizeBytes > before) await image.resize(sizeBytes);
          return before;
        },
      );
      const { state } = services;
      state.transaction((database) => setDiskSize(database, box.id, "user", sizeBytes));
      context.emit({
        type: "change",
        name: "box.resized",
        level: "info",
        message: `the disk of box ${box.name} has ${sizeBytes} bytes now; the file system on it grows when the guest grows it`,
        details: { from: oldSizeBytes, to: sizeBytes },
      });
      return { oldSizeBytes, virtualSizeBytes: sizeBytes };
    },
  };
}

function shrinks(name: string, from: number, to: number): RuntimeError {
  return new RuntimeError({
    code: "BOX_DISK_SHRINKS",
    message: `cannot make the disk of box ${name} smaller: it has ${from} bytes, ${to} were asked for`,
    details: { name, from, to },
    hint: `ask for ${from} bytes or more: what lies at the end of the disk would be lost`,
  });
}
