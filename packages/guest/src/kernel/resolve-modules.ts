import { basename, join } from "node:path";
import { GuestError } from "../errors.ts";
import type { KernelModule } from "../initramfs/assemble-initramfs.ts";
import { kernelInvalid } from "./kernel-error.ts";
import { type ModuleIndex, moduleName, readModuleIndex } from "./module-index.ts";
import { readModule } from "./read-module.ts";

/** What a guest needs. Of the transports one is enough, and whatever else is optional may be missing. */
export interface ModuleNames {
  /** Without these there is no guest. */
  readonly required: readonly string[];
  /** Taken when the kernel has them. */
  readonly optional: readonly string[];
}

/** What a guest of box needs: its disks, its port, and the buses that they may be on. */
export const guestModules: ModuleNames = {
  required: ["virtio_console", "virtio_blk", "ext4"],
  optional: ["virtio_pci", "virtio_mmio"],
};

/** What a guest with a network card needs besides. */
export const networkModules: ModuleNames = {
  required: [...guestModules.required, "virtio_net"],
  optional: guestModules.optional,
};

/**
 * Finds the modules that a kernel needs for something and puts them in an order in which each comes after what it needs.
 *
 * @returns Paths relative to the folder; nothing for what is built in.
 * @throws GuestError `GUEST_KERNEL_MISSING` for a required module, `GUEST_KERNEL_INVALID` for a circle.
 */
export async function orderModules(index: ModuleIndex, names: ModuleNames): Promise<string[]> {
  const done = new Set<string>();
  const order: string[] = [];
  const visit = async (name: string, above: readonly string[]): Promise<void> => {
    if (done.has(name) || index.builtin.has(name)) return;
    if (above.includes(name)) throw kernelInvalid("modules.dep", `${name} needs itself`);
    const path = index.paths.get(name);
    if (path === undefined) throw moduleMissing(name);
    for (const needed of await index.dependenciesOf(name)) await visit(needed, [...above, name]);
    done.add(name);
    order.push(path);
  };
  const optional = names.optional.map(moduleName).filter((name) => index.paths.has(name));
  // The buses first: a disk that is there when its driver comes needs no wait.
  for (const name of [...optional, ...names.required.map(moduleName)]) await visit(name, []);
  return order;
}

/**
 * Reads the modules of a kernel, in the order that they are loaded in.
 *
 * @param directory - Such as `/lib/modules/RELEASE`.
 * @throws GuestError `GUEST_KERNEL_MISSING`, `GUEST_KERNEL_INVALID`, `GUEST_KERNEL_UNSUPPORTED`.
 */
export async function readModules(
  directory: string,
  names: ModuleNames = guestModules,
): Promise<KernelModule[]> {
  const order = await orderModules(await readModuleIndex(directory), names);
  return Promise.all(
    order.map(async (path) => ({
      fileName: `${basename(path).replace(/\.ko(\.\w+)?$/, "")}.ko`,
      content: await readModule(join(directory, path)),
    })),
  );
}

function moduleMissing(name: string): GuestError {
  return new GuestError({
    code: "GUEST_KERNEL_MISSING",
    message: `the kernel has no module ${name}, and it is not built in`,
    details: { module: name },
    hint: "use a kernel with virtio drivers, such as the package linux-image-cloud-amd64",
  });
}
