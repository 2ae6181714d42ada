import type { InitServices } from "../init/services.ts";
import type { NewBox } from "../state/boxes-table.ts";
import type { CreateBoxOptions } from "./box-options.ts";
import { checkLabels } from "./labels.ts";
import { checkBoxName } from "./name.ts";
import { checkRunSettings } from "./run-settings.ts";
import { checkDiskSize } from "./setting.ts";

/**
 * The record of a box that is about to be created.
 *
 * @throws RuntimeError `BOX_NAME_INVALID`, `BOX_LABEL_INVALID`, `BOX_SETTING_INVALID`; what is wrong with a reference.
 */
export async function newBoxFrom(
  { source, clock, newId }: Pick<InitServices, "source" | "clock" | "newId">,
  options: CreateBoxOptions,
): Promise<NewBox> {
  const id = newId();
  const name = options.name ?? `box-${id.slice(0, 8)}`;
  checkBoxName(name);
  const {
    guestRootfs = { type: "disk" },
    diskSizeBytes,
    labels = {},
    autoRemove = false,
    run = {},
  } = options;
  checkLabels(labels);
  if (diskSizeBytes !== undefined) checkDiskSize(diskSizeBytes);
  const guestReference = guestRootfs.type === "disk" ? guestRootfs.reference : undefined;
  return {
    id,
    name,
    imageReference: await source.nameOf(options.image),
    guestRootfs:
      guestReference === undefined
        ? { type: guestRootfs.type }
        : { type: "disk", reference: await source.nameOf(guestReference) },
    ...(diskSizeBytes === undefined ? {} : { diskSizeBytes }),
    labels,
    autoRemove,
    run: checkRunSettings(run),
    nowMs: clock.now(),
  };
}
