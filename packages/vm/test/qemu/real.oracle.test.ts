import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineContract } from "@box/vm/testing";
import { afterAll, describe, test } from "vitest";
import { bootFilesOfTests } from "./real-boot.ts";
import { openRealHost } from "./real-subject.ts";
import { sharing } from "./shared-machine.ts";

const host = await openRealHost(await bootFilesOfTests());
const shared = host === undefined ? undefined : sharing(host.engine);
const folder = await mkdtemp(join(tmpdir(), "box-shared-"));
afterAll(async () => {
  await shared?.end();
  await host?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
const timeout = 120_000;

const title = "the engine of QEMU keeps the contract with real machines";
describe.skipIf(host === undefined)(host ? title : `${title} (skipped: no QEMU or kernel)`, () => {
  test.each(engineContract)("$title", { timeout }, async ({ run, sharesMachine = false }) => {
    if (host === undefined || shared === undefined) return;
    const subject = host.subject("initramfs");
    if (!sharesMachine) return run(subject);
    // Its folders outlive the test: the machine is used by the next one.
    const spec = () => host.spec("initramfs", folder);
    await run({ ...subject, engine: shared, spec });
  });
});
