import { definePlan, defineTask, type StagedPlan } from "@box/pipeline";
import { type DiskRole, readOverlayFacts } from "@box/rootfs";
import { RuntimeError } from "../errors.ts";
import { boxLayout, type HomeLayout } from "../home/layout.ts";
import type { BoxRecord } from "./box.ts";
import { removeBoxFiles } from "./remove-files.ts";

/** Removes the files of a box, as a plan, so that it tells what it does like every other operation. */
export function removalPlan(home: HomeLayout, box: BoxRecord): StagedPlan<never, never, never> {
  const remove = defineTask({
    name: "box_remove",
    label: "removal",
    run: () => removeBoxFiles(home, box.id),
  });
  return definePlan({ name: "remove" }).stage([remove]);
}

/** @throws RuntimeError `BOX_IN_USE` when a live process has a disk of the box open. */
export async function checkDisksUnused(home: HomeLayout, box: BoxRecord): Promise<void> {
  const layout = boxLayout(home, box.id);
  const disks: readonly (readonly [DiskRole, string])[] = [
    ["user", layout.userDisk],
    ["guest", layout.guestDisk],
  ];
  for (const [role, path] of disks) {
    // Whether it is in use is found out first; what else is wrong with it does not matter here.
    const limits = { timeoutMs: 0 };
    const { facts } = await readOverlayFacts({ path, role, record: { type: "adopted" }, limits });
    if (facts.overlay !== "in-use") continue;
    throw new RuntimeError({
      code: "BOX_IN_USE",
      message: `a disk of box ${box.name} is open in a live process: ${path}`,
      details: { name: box.name, path },
      hint: "end the program that has it open, such as a virtual machine, and try again",
      retryable: true,
    });
  }
}
