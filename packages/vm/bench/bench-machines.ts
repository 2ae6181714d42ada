import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileGuestProgram } from "@box/test-support";
import { diskSerials, type MachineSpec } from "@box/vm";
import { frugalNode, QemuEngine } from "@box/vm/qemu";
import { programFolders } from "../test/qemu/oracle.ts";
import { bootFilesOfTests } from "../test/qemu/real-boot.ts";
import { writeBoxDisk, writeGuestDisk } from "../test/qemu/real-disks.ts";

/** A machine that is to be measured, and what removes its files. */
export interface BenchMachine {
  readonly spec: MachineSpec;
  readonly remove: () => Promise<void>;
}

/** The real machines of benchmarks, emulated. */
export class BenchMachines {
  readonly engine: QemuEngine;
  readonly #folder: string;

  private constructor(folder: string, engine: QemuEngine) {
    this.#folder = folder;
    this.engine = engine;
  }

  /** Makes what they boot and the disks that they get copies of. Their supervisor is the one that was built, as users have it. */
  static async prepare(): Promise<BenchMachines> {
    const supervisor = join(import.meta.dirname, "../dist/qemu/supervisor.cjs");
    if (!existsSync(supervisor))
      throw new Error("build the package first: pnpm turbo run build --filter=@box/vm...");
    const boot = await bootFilesOfTests();
    if (boot === undefined) throw new Error("there is no QEMU, or no kernel");
    const folder = await mkdtemp(join(tmpdir(), "box-bench-"));
    const program = await compileGuestProgram(folder);
    if (program === undefined) throw new Error("there is no compiler for the program of the box");
    await writeBoxDisk(join(folder, "user.ext4"), program);
    await writeGuestDisk(join(folder, "guest.ext4"));
    const engine = new QemuEngine({
      programFolders,
      boot: async () => boot.plain,
      socketFolder: join(folder, "sockets"),
      accelerator: "tcg",
      cacheFolder: join(folder, "cache"),
      supervisor: { path: process.execPath, args: [...frugalNode, supervisor] },
      templateFolder: join(folder, "templates"),
    });
    return new BenchMachines(folder, engine);
  }

  /** Describes a machine with disks of its own. */
  async describe(
    options: Pick<MachineSpec, "guestRootfs" | "memoryMiB" | "bootsAlways">,
  ): Promise<BenchMachine> {
    const own = await mkdtemp(join(this.#folder, "machine-"));
    const roles =
      options.guestRootfs === "disk" ? (["user", "guest"] as const) : (["user"] as const);
    const disks: MachineSpec["disks"][number][] = [];
    for (const role of roles) {
      const path = join(own, `${role}.ext4`);
      await copyFile(join(this.#folder, `${role}.ext4`), path);
      disks.push({ role, path, format: "raw", readOnly: false, serial: diskSerials[role] });
    }
    const directory = join(own, "run");
    await mkdir(directory);
    const spec: MachineSpec = {
      ...{ id: "a".repeat(32), boxId: "b".repeat(32), name: "bench", directory, logDirectory: own },
      ...{ disks, cpus: 1, environment: [], labels: {}, lifetime: "owner" },
      ...options,
    };
    return { spec, remove: () => rm(own, { recursive: true, force: true }) };
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
