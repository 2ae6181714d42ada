import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineContract } from "@box/vm/testing";
import { afterAll, describe, expect, test } from "vitest";
import { bootFilesOfTests } from "./real-boot.ts";
import { openRealHost } from "./real-subject.ts";
import { sharing } from "./shared-machine.ts";

const boot = await bootFilesOfTests();
const folder = await mkdtemp(join(tmpdir(), "box-shared-"));
const timeout = 120_000;

/** Machines that boot, and machines that go on from a template. */
const kinds = [
  {
    title: "that boot",
    start: "cold",
    strategy: "initramfs",
    host: await openRealHost(boot),
  },
  {
    title: "that go on from a template",
    start: "warm",
    strategy: "disk",
    host: await openRealHost(boot, join(folder, "templates")),
  },
] as const;

afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(kinds)(
  `the engine of QEMU keeps the contract with machines $title${boot ? "" : " (skipped: no QEMU or kernel)"}`,
  ({ host, start, strategy }) => {
    const shared = host === undefined ? undefined : sharing(host.engine);
    afterAll(async () => {
      await shared?.end();
      await host?.[Symbol.asyncDispose]();
    });

    test.skipIf(host === undefined).each(engineContract)(
      "$title",
      { timeout },
      async ({ run, sharesMachine = false }) => {
        if (host === undefined || shared === undefined) return;
        const subject = host.subject(strategy);
        if (!sharesMachine) return run(subject);
        // Its folders outlive the test: the machine is used by the next one.
        const spec = () => host.spec(strategy, folder);
        await run({ ...subject, engine: shared, spec });
      },
    );

    test.skipIf(host === undefined)("and they were of that kind", { timeout }, async () => {
      if (host === undefined) return;
      await using machine = await host.engine.spawn(await host.spec(strategy));
      expect(machine.record.details).toMatchObject({ start });
      await machine.stop({ graceMs: 0 });
    });
  },
);
