import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { diskSerials, type MachineSpec } from "@box/vm";
import { type ContractSubject, InProcessEngine } from "@box/vm/testing";
import { onTestFinished } from "vitest";

let count = 0;

/** A machine that the in-process engine can start, in a folder that goes away with the test. */
export async function makeSpec(): Promise<MachineSpec> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "box-vm-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const directory = join(folder, "run");
  const logDirectory = join(folder, "logs");
  for (const path of [directory, logDirectory]) await mkdir(path);
  count += 1;
  return {
    id: count.toString(16).padStart(32, "0"),
    boxId: "b".repeat(32),
    name: "web",
    directory,
    logDirectory,
    disks: [
      {
        role: "user",
        path: join(folder, "disk.qcow2"),
        format: "qcow2",
        readOnly: false,
        serial: diskSerials.user,
      },
    ],
    guestRootfs: "initramfs",
    memoryMiB: 128,
    cpus: 1,
    environment: [],
    labels: {},
    lifetime: "detached",
  };
}

/** The in-process engine as the contract wants it. */
export function inProcessSubject(engine: InProcessEngine = new InProcessEngine()): ContractSubject {
  return {
    engine,
    other: () => new InProcessEngine(),
    spec: makeSpec,
    commands: {
      copy: ["cat"],
      print: ["print", "out", "err"],
      sleep: ["sleep"],
      trap: ["trap"],
      environment: ["env"],
      workingDirectory: ["pwd"],
      terminalSize: ["size"],
      exit: (code) => ["exit", String(code)],
      flood: (bytes) => ["flood", String(bytes)],
      echoServer: ["print", "listening"],
      networks: ["networks"],
      notExecutable: ["/etc/passwd"],
    },
    folder: "/tmp",
    hang: async (record) => engine.makeDeaf(record),
  };
}
