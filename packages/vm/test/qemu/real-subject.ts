import { copyFile, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileGuestProgram } from "@box/test-support";
import { diskSerials, type MachineSpec } from "@box/vm";
import { QemuEngine } from "@box/vm/qemu";
import type { ContractSubject } from "@box/vm/testing";
import { makeSpec } from "../subject.ts";
import { programFolders } from "./oracle.ts";
import type { RealBoot } from "./real-boot.ts";
import { writeBoxDisk, writeGuestDisk } from "./real-disks.ts";

/** What real machines are made from. */
export interface RealHost extends AsyncDisposable {
  readonly engine: QemuEngine;
  /** A machine with disks of its own, in folders that go away with the test, or in a folder of the caller's. */
  spec(strategy: MachineSpec["guestRootfs"], folder?: string): Promise<MachineSpec>;
  /** The program that boxes run. */
  readonly program: string;
  /** The engine as the contract wants it. */
  subject(strategy: MachineSpec["guestRootfs"]): ContractSubject;
}

/** Makes disks for real machines that boot these files; undefined without them, or without a compiler for what their boxes run. */
export async function openRealHost(
  boot: RealBoot | undefined,
  templateFolder?: string,
): Promise<RealHost | undefined> {
  if (boot === undefined) return undefined;
  const folder = await realpath(await mkdtemp(join(tmpdir(), "box-real-")));
  const program = await compileGuestProgram(folder);
  if (program === undefined) {
    await rm(folder, { recursive: true, force: true });
    return undefined;
  }
  const [box, guest] = [join(folder, "box.ext4"), join(folder, "guest.ext4")];
  await writeBoxDisk(box, program);
  await writeGuestDisk(guest);
  const makeEngine = () =>
    new QemuEngine({
      programFolders,
      boot: async ({ hasNetwork }) => (hasNetwork ? boot.withNetwork : boot.plain),
      socketFolder: join(folder, "sockets"),
      accelerator: "tcg",
      ...(templateFolder === undefined ? {} : { templateFolder }),
    });
  const spec: RealHost["spec"] = async (strategy, directory) => {
    const own = await makeSpec();
    const made = directory === undefined ? own : { ...own, directory, logDirectory: directory };
    const disks = [
      ["user", box] as const,
      ...(strategy === "disk" ? [["guest", guest] as const] : []),
    ];
    return {
      ...made,
      guestRootfs: strategy,
      disks: await Promise.all(
        disks.map(async ([role, base]) => {
          const path = join(made.directory, `${role}.ext4`);
          await copyFile(base, path);
          return { role, path, format: "raw", readOnly: false, serial: diskSerials[role] } as const;
        }),
      ),
    };
  };
  return {
    engine: makeEngine(),
    spec,
    program,
    subject: (strategy) => ({
      engine: makeEngine(),
      other: makeEngine,
      spec: () => spec(strategy),
      commands,
      folder: "/work",
      hang: async ({ process: { pid } }) => {
        process.kill(pid, "SIGSTOP");
      },
    }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const contract = "/bin/contract";

/** What the boxes of real machines can run. */
const commands: ContractSubject["commands"] = {
  copy: [contract, "copy"],
  print: [contract, "print"],
  sleep: [contract, "sleep"],
  trap: [contract, "trap"],
  environment: [contract, "env"],
  workingDirectory: [contract, "pwd"],
  terminalSize: [contract, "size"],
  exit: (code) => [contract, "exit", String(code)],
  flood: (bytes) => [contract, "flood", String(bytes)],
  echoServer: [contract, "echo"],
  networks: [contract, "networks"],
  notExecutable: ["/etc/passwd"],
};
