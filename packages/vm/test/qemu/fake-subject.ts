import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContractSubject } from "@box/vm/testing";
import { onTestFinished } from "vitest";
import { inProcessSubject } from "../subject.ts";
import { addFakeQemu } from "./fake-engine.ts";
import { hereEngine } from "./here-engine.ts";

/** A folder with a program that plays QEMU, which goes away with the test. */
export async function fakeQemuFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "box-fake-qemu-")));
  // A supervisor that is ending may still put there what it has compiled.
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }));
  await addFakeQemu(folder);
  return folder;
}

/** An engine whose QEMU is played by a program of the tests, and whose supervisors are this process, as the contract wants it. */
export async function fakeSubject(): Promise<ContractSubject> {
  const folder = await fakeQemuFolder();
  return {
    ...inProcessSubject(),
    engine: hereEngine(folder),
    other: () => hereEngine(folder),
    folder,
    hang: async ({ process: { pid } }) => {
      process.kill(pid, "SIGSTOP");
    },
  };
}
