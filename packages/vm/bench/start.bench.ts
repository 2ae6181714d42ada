// From the call that starts a machine to the first output of a command in it: by booting, and from a template.
import { existsSync, readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { diskSerials, type MachineSpec } from "@box/vm";
import { frugalNode, QemuEngine } from "@box/vm/qemu";
import { programFolders } from "../test/qemu/oracle.ts";
import { bootFilesOfTests } from "../test/qemu/real-boot.ts";
import { compileProgram, writeBoxDisk, writeGuestDisk } from "../test/qemu/real-disks.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    memory: { type: "string", default: "256" },
  },
});
const rounds = Number(values.rounds);
const memoryMiB = Number(values.memory);

/** Milliseconds until each of these. */
interface Times {
  readonly spawned: number;
  readonly connected: number;
  readonly ready: number;
  readonly output: number;
  /** Milliseconds of processors by then, of QEMU and of its supervisor. */
  readonly cpu: number;
}

// As users have it: its sources take longer to load.
const supervisor = join(import.meta.dirname, "../dist/qemu/supervisor.js");
if (!existsSync(supervisor))
  throw new Error("build the package first: pnpm turbo run build --filter=@box/vm...");
const boot = await bootFilesOfTests();
if (boot === undefined) throw new Error("there is no QEMU, or no kernel");
const folder = await mkdtemp(join(tmpdir(), "box-bench-"));
try {
  const program = await compileProgram(folder);
  if (program === undefined) throw new Error("there is no compiler for the program of the box");
  await writeBoxDisk(join(folder, "user.ext4"), program);
  await writeGuestDisk(join(folder, "guest.ext4"));
  const engine = new QemuEngine({
    programFolders,
    boot: async () => boot.plain,
    socketFolder: join(folder, "sockets"),
    accelerator: "tcg",
    supervisor: { path: process.execPath, args: [...frugalNode, supervisor] },
    templateFolder: join(folder, "templates"),
  });
  for (const guestRootfs of ["disk", "initramfs"] as const) {
    const cold: Times[] = [];
    const warm: Times[] = [];
    const first = await start(engine, guestRootfs, false);
    if (first.start !== "cold") throw new Error("the first machine did not boot");
    for (let round = 0; round < rounds; round++) {
      cold.push((await start(engine, guestRootfs, true)).times);
      const { start: kind, times } = await start(engine, guestRootfs, false);
      if (kind !== "warm") throw new Error("a machine did not start from the template");
      warm.push(times);
    }
    print(
      `system on ${guestRootfs}, ${memoryMiB} MiB, medians of ${rounds} in ms (fastest to slowest):`,
    );
    print(`  first, saves  ${first.times.output.toFixed(0)}`);
    report("cold", cold, 2500);
    report("warm", warm, 350);
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function start(
  engine: QemuEngine,
  guestRootfs: MachineSpec["guestRootfs"],
  bootsAlways: boolean,
): Promise<{ readonly times: Times; readonly start: unknown }> {
  const own = await mkdtemp(join(folder, "machine-"));
  const roles = guestRootfs === "disk" ? (["user", "guest"] as const) : (["user"] as const);
  const disks: MachineSpec["disks"][number][] = [];
  for (const role of roles) {
    const path = join(own, `${role}.ext4`);
    await copyFile(join(folder, `${role}.ext4`), path);
    disks.push({ role, path, format: "raw", readOnly: false, serial: diskSerials[role] });
  }
  const directory = join(own, "run");
  await mkdir(directory);
  const begin = performance.now();
  const since = () => performance.now() - begin;
  const machine = await engine.spawn({
    ...{ id: "a".repeat(32), boxId: "b".repeat(32), name: "bench", directory, logDirectory: own },
    ...{ disks, guestRootfs, memoryMiB, cpus: 1, environment: [], labels: {} },
    ...{ lifetime: "owner", bootsAlways },
  });
  const spawned = since();
  await machine.connect();
  const connected = since();
  await machine.initialize({ hostname: "bench" });
  const ready = since();
  const command = await machine.exec({ command: ["/bin/contract", "print"] });
  for await (const _ of command.stdout) break;
  const output = since();
  const { process: qemu, details } = machine.record;
  const cpu = cpuOf(qemu) + cpuOf(details["supervisor"] as typeof qemu);
  await machine.stop({ graceMs: 0 });
  await machine.close();
  await rm(own, { recursive: true, force: true });
  return { times: { spawned, connected, ready, output, cpu }, start: details["start"] };
}

/** What a process has used of processors, in milliseconds: proc(5), fields 14 and 15, in hundredths of a second. */
function cpuOf({ pid }: { readonly pid: number }): number {
  const [, rest = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  const fields = rest.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function report(name: string, times: readonly Times[], targetMs: number): void {
  const of = (key: keyof Times) => times.map((each) => each[key]).sort((a, b) => a - b);
  const median = (key: keyof Times) => of(key)[times.length >> 1] ?? 0;
  const stages = (["spawned", "connected", "ready"] as const)
    .map((key) => `${key} ${median(key).toFixed(0)}`)
    .join(", ");
  const outputs = of("output");
  const word = median("output") <= targetMs ? "met" : "MISSED";
  print(
    `  ${name}  first output ${median("output").toFixed(0)} (${outputs[0]?.toFixed(0)} to ${outputs.at(-1)?.toFixed(0)}); ` +
      `${stages}; CPU ${median("cpu").toFixed(0)}; target ${targetMs}: ${word}`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
