import { ensureDirectory } from "@box/io/node";
import { defineTask, ownEvents, type Task, type TaskContext } from "@box/pipeline";
import type { DiskRole } from "@box/rootfs";
import {
  diskSerials,
  type Engine,
  type MachineDisk,
  type MachineEvent,
  type MachineSpec,
} from "@box/vm";
import type { BoxRecord, DiskBase } from "../boxes/box.ts";
import { type BoxServices, changeGraceMs } from "../boxes/recorded-work.ts";
import type { BoxOwnEvent } from "../events.ts";
import type { BoxLayout } from "../home/layout.ts";
import {
  boxKey,
  containerRootfsKey,
  guestRootfsKey,
  layoutKey,
  type PreparedContainerRootfs,
  type PreparedGuestRootfs,
} from "../init/keys.ts";
import { getDisk } from "../state/disks-table.ts";
import { putMachine } from "../state/machines-table.ts";
import { machineKey } from "./machine-keys.ts";
import { clearRunFolder } from "./run-folder.ts";

/** What the task needs. */
export type SpawnInputs =
  | typeof boxKey
  | typeof layoutKey
  | typeof containerRootfsKey
  | typeof guestRootfsKey;

/** How a machine is started. */
export interface MachineStart {
  /** Until it is stopped unless given. */
  readonly lifetime?: MachineSpec["lifetime"] | undefined;
  /** Whether it boots also where it could go on from a template. */
  readonly bootsAlways?: boolean | undefined;
}

/** Starts the process of a box's machine and stores how to find it. When a later task fails the machine is ended. */
export function vmmSpawn(
  services: BoxServices,
  engine: Engine,
  how: MachineStart = {},
): Task<SpawnInputs, typeof machineKey, BoxOwnEvent> {
  return defineTask({
    name: "vmm_spawn",
    label: "vmm",
    needs: [boxKey, layoutKey, containerRootfsKey, guestRootfsKey],
    provides: [machineKey],
    events: ownEvents<BoxOwnEvent>(),
    graceMs: changeGraceMs,
    run: async ({ box, layout, container_rootfs, guest_rootfs }, context) => {
      const { signal } = context;
      await clearRunFolder(services.home, box.id);
      for (const folder of [layout.run, layout.logs]) await ensureDirectory(folder);
      signal.throwIfAborted();
      const id = services.newId();
      const disks = { user: container_rootfs, guest: guest_rootfs };
      const baseOf = (role: DiskRole) => getDisk(services.state.database, box.id, role)?.base;
      const spec = specOf({ id, box, layout, how, baseOf, ...disks });
      const machine = await engine.spawn(spec, { signal, onEvent: relay(context) });
      context.defer(() => machine.close());
      context.undo(async () => {
        await machine.stop({ graceMs: 0 });
      });
      const { record } = machine;
      services.state.transaction((database) => putMachine(database, box.id, record));
      // An engine that did not listen may come back late.
      signal.throwIfAborted();
      return { machine };
    },
  });
}

interface SpecParts {
  readonly id: string;
  readonly box: BoxRecord;
  readonly how: MachineStart;
  readonly layout: BoxLayout;
  readonly user: PreparedContainerRootfs;
  readonly guest: PreparedGuestRootfs;
  /** The base that was recorded for a disk when it was made, and found there just now. */
  readonly baseOf: (role: DiskRole) => DiskBase | undefined;
}

function specOf({ id, box, layout, how, user, guest, baseOf }: SpecParts): MachineSpec {
  const { memoryMiB, cpus, network = "none" } = box.run;
  const { lifetime = "detached", bootsAlways = false } = how;
  const diskOf = (role: DiskRole, path: string) => machineDisk(role, path, baseOf(role));
  return {
    id,
    boxId: box.id,
    name: box.name,
    directory: layout.run,
    logDirectory: layout.logs,
    disks: [
      diskOf("user", user.disk.path),
      ...(guest.type === "disk" ? [diskOf("guest", guest.disk.path)] : []),
    ],
    guestRootfs: guest.type,
    memoryMiB,
    cpus,
    network,
    environment: guest.type === "disk" ? guest.environment : [],
    labels: box.labels,
    lifetime,
    bootsAlways,
  };
}

function machineDisk(role: DiskRole, path: string, base: DiskBase | undefined): MachineDisk {
  const backing = base === undefined ? null : { path: base.path, format: base.format };
  return { role, path, format: "qcow2", readOnly: false, serial: diskSerials[role], backing };
}

/** What the engine tells while the box is started, as events of the task. */
function relay(context: TaskContext<BoxOwnEvent>): (event: MachineEvent) => void {
  return (event) => {
    if (event.type === "warning") context.warn(event);
    if (event.type === "stage") {
      const { stage, elapsedMs } = event;
      context.info(`the guest has come to: ${stage}`, { stage, elapsedMs });
    }
  };
}
