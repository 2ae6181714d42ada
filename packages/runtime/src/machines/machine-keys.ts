import { type Key, key } from "@box/pipeline";
import type { Machine } from "@box/vm";

/** The machine of a box whose process is there. */
export const machineKey: Key<"machine", Machine> = key("machine", { from: "vmm" });

/** The same machine, once its guest has answered. */
export const connectedKey: Key<"connected", Machine> = key("connected", { from: "guest connect" });
