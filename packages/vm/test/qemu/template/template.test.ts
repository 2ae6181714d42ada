import { chmod, mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Machine, MachineEvent, MachineSpec } from "@box/vm";
import { describe, expect, onTestFinished, test } from "vitest";
import { listTemplates, removeTemplates } from "../../../src/qemu/template/template-folder.ts";
import { makeSpec } from "../../subject.ts";
import { fakeQemuFolder } from "../fake-subject.ts";
import { hereEngine } from "../here-engine.ts";

/** A busy host takes long to write; only what hangs runs into this. */
const patience = { timeout: 60_000 };
const slot = "5".repeat(32);
const makers = { qemu: "/q:1", boot: "sha256:1", host: "" };

interface StartChanges {
  /** Digest of the kernel and the agent. */
  readonly boot?: string;
  readonly hostname?: string;
}

/** Starts machines of one shape on a host of their own. */
async function makeHost() {
  const folder = await fakeQemuFolder();
  const templates = join(folder, "templates");
  const start = async (changes: Partial<MachineSpec> & StartChanges = {}) => {
    const { boot = makers.boot, hostname = "a", ...spec } = changes;
    const engine = hereEngine(folder, { folder: templates, slot, makers: { ...makers, boot } });
    const events: MachineEvent[] = [];
    const machine = await engine.spawn(
      { ...(await makeSpec()), ...spec },
      { onEvent: (event) => events.push(event) },
    );
    onTestFinished(async () => {
      await machine.stop({ graceMs: 0 });
      await machine.close();
    });
    await works(machine, hostname);
    return { machine, details: machine.record.details, warnings: warningsOf(events), events };
  };
  const saved = async () =>
    (await listTemplates(templates)).filter(({ lengthBytes }) => lengthBytes > 0).length;
  const files = async () => (await readdir(templates)).filter((name) => !name.startsWith("lock"));
  const state = async () => {
    const name = (await files()).find((each) => each.endsWith(".state"));
    return join(templates, name ?? "none");
  };
  return { folder, templates, start, saved, files, state };
}

function warningsOf(events: readonly MachineEvent[]): readonly string[] {
  return events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
}

/** Whatever a machine was started from, it does what it is to do. */
async function works(machine: Machine, hostname: string): Promise<void> {
  await machine.connect();
  await machine.initialize({ hostname });
  const command = await machine.exec({ command: ["exit", "7"] });
  expect(await command.wait()).toEqual({ exitCode: 7 });
}

/** Waits until the first machine of a host was saved. */
async function saved(host: Awaited<ReturnType<typeof makeHost>>): Promise<void> {
  const first = await host.start();
  expect(first.details).toMatchObject({ start: "cold", startReason: "there is none yet" });
  expect(first.warnings).toEqual([]);
  await expect.poll(() => listTemplates(host.templates), patience).toHaveLength(1);
}

describe("the state of the first machine that boots", () => {
  test("is saved for this user alone, and others start from it", async () => {
    const host = await makeHost();
    await saved(host);
    const [{ lengthBytes } = { lengthBytes: 0 }] = await listTemplates(host.templates);
    const facts = await stat(await host.state());
    expect(facts).toMatchObject({ size: lengthBytes });
    expect(facts.mode & 0o777).toBe(0o600);
    expect((await stat(host.templates)).mode & 0o777).toBe(0o700);
    for (let count = 0; count < 2; count++) {
      const { details, warnings } = await host.start({ name: "db" });
      expect(details).toMatchObject({ start: "warm" });
      expect(warnings).toEqual([]);
    }
    expect(await host.files()).toHaveLength(2);
  });

  test("is told randomness and the time in each machine that goes on from it", async () => {
    const host = await makeHost();
    await saved(host);
    const seeds: string[] = [];
    for (let count = 0; count < 2; count++) {
      const before = Date.now();
      const { machine } = await host.start({ hostname: "told" });
      const log = String(machine.record.details["console"]);
      await expect.poll(() => readFile(log, "utf8"), patience).toContain("}");
      const { seed, timeMs } = JSON.parse(/\{.*\}/.exec(await readFile(log, "utf8"))?.[0] ?? "");
      expect(seed).toMatch(/^[0-9a-f]{128}$/);
      expect(timeMs).toBeGreaterThanOrEqual(before);
      expect(timeMs).toBeLessThanOrEqual(Date.now());
      seeds.push(seed);
    }
    expect(seeds[0]).not.toBe(seeds[1]);
  });

  test("is saved once when several boot at the same time", async () => {
    const host = await makeHost();
    const several = await Promise.all([host.start(), host.start(), host.start()]);
    for (const { details, warnings } of several) {
      expect(details).toMatchObject({ start: "cold" });
      expect(warnings).toEqual([]);
    }
    await expect.poll(() => listTemplates(host.templates), patience).toHaveLength(1);
    expect((await host.start()).details).toMatchObject({ start: "warm" });
    expect(await host.files()).toHaveLength(2);
  });

  test("is removed when it is told to be, and saved again", async () => {
    const host = await makeHost();
    await saved(host);
    expect(await removeTemplates(host.templates)).toBeGreaterThan(100_000);
    expect(await host.files()).toEqual([]);
    await saved(host);
  });

  test.each([
    ["unsaved", "could not send the state"],
    ["slow", "did not send the state of the machine within 1000 ms"],
  ])("that cannot be saved (%s) is a warning, and no file is left", async (name, reason) => {
    const host = await makeHost();
    const { details, events } = await host.start({ name });
    expect(details).toMatchObject({ start: "cold" });
    await expect
      .poll(() => warningsOf(events), patience)
      .toEqual([expect.stringContaining(reason)]);
    expect(await host.files()).toEqual([]);
  });

  test("that does not go on after it was saved ends: it hangs for nobody", async () => {
    const host = await makeHost();
    await expect(host.start({ name: "stuck" })).rejects.toMatchObject({ code: "VM_MACHINE_DIED" });
    expect((await host.files()).filter((name) => name.endsWith(".state"))).toEqual([]);
  });
});

describe("a template that must not be used gives a machine that boots, a warning, and a new template:", () => {
  const faults: readonly [
    string,
    (host: Awaited<ReturnType<typeof makeHost>>) => Promise<void>,
    string,
  ][] = [
    [
      "one with a changed byte",
      async (host) => {
        const path = await host.state();
        const bytes = await readFile(path);
        bytes[50_000] = 1;
        await writeFile(path, bytes);
      },
      "its state is damaged",
    ],
    [
      "one that QEMU cannot even read",
      async (host) => {
        const path = await host.state();
        const bytes = await readFile(path);
        await writeFile(path, bytes.fill(0));
      },
      "its state is damaged",
    ],
    [
      "one that was cut",
      async (host) => truncate(await host.state(), 1000),
      "its state has another length",
    ],
    ["one that others could read", async (host) => chmod(await host.state(), 0o644), "others may"],
    ["one in a folder of others", async (host) => chmod(host.templates, 0o777), "others may"],
    [
      "one whose record is no record",
      (host) => writeFile(join(host.templates, `${slot}.json`), "{}"),
      "its record is damaged",
    ],
    [
      "one whose record leads elsewhere",
      async (host) => {
        const path = join(host.templates, `${slot}.json`);
        const record = JSON.parse(await readFile(path, "utf8"));
        await writeFile(path, JSON.stringify({ ...record, file: "../../secret" }));
      },
      "its record is damaged",
    ],
    [
      "one of another QEMU of the same name",
      async (host) => {
        const path = join(host.templates, `${slot}.json`);
        const record = JSON.parse(await readFile(path, "utf8"));
        await writeFile(path, JSON.stringify({ ...record, qemuVersion: "6.2.0" }));
      },
      "QEMU was 6.2.0 when it was saved",
    ],
  ];

  test.each(faults)("%s", async (_, damage, reason) => {
    const host = await makeHost();
    await saved(host);
    await damage(host);
    const { details, warnings } = await host.start();
    expect(details).toMatchObject({ start: "cold", startReason: expect.stringContaining(reason) });
    expect(warnings).toEqual([expect.stringContaining(reason)]);
    await expect
      .poll(async () => (await host.start()).details, { timeout: 60_000 })
      .toMatchObject({ start: "warm" });
  });

  test("one that was saved with another kernel or agent", async () => {
    const host = await makeHost();
    await saved(host);
    const { details, warnings } = await host.start({ boot: "sha256:2" });
    expect(details).toMatchObject({ start: "cold" });
    expect(warnings).toEqual([
      expect.stringContaining("the kernel or the agent is another than when it was saved"),
    ]);
    await expect.poll(host.saved, patience).toBe(1);
    expect((await host.start({ boot: "sha256:2" })).details).toMatchObject({ start: "warm" });
  });
});

describe("a sound template", () => {
  test.each([
    ["endless", "did not come up within 1000 ms"],
    ["silent", "did not come up within 1000 ms"],
  ])(
    "whose machine does not come up (%s) is given up in time, and none is tried for a while",
    async (name, reason) => {
      const host = await makeHost();
      await saved(host);
      const { details, warnings } = await host.start({ name });
      expect(details).toMatchObject({ start: "cold" });
      expect(warnings).toEqual([expect.stringContaining(reason)]);
      const next = await host.start();
      expect(next.details).toMatchObject({
        start: "cold",
        startReason: expect.stringContaining(reason),
      });
      expect(next.warnings).toEqual([]);
      expect(await host.files()).toEqual([`${slot}.json`]);
      // What changes may mend it.
      await host.start({ boot: "sha256:2" });
      await expect.poll(host.saved, patience).toBe(1);
    },
  );

  test("is kept when QEMU cannot start at all, as with a disk that it cannot open", async () => {
    const host = await makeHost();
    await saved(host);
    const { disks } = await makeSpec();
    const broken = disks.map((disk) => ({ ...disk, path: "/broken.qcow2" }));
    await expect(host.start({ disks: broken })).rejects.toMatchObject({ code: "VM_SPAWN_FAILED" });
    expect((await host.start()).details).toMatchObject({ start: "warm" });
  });

  test("is kept when another process has a disk open", async () => {
    const host = await makeHost();
    await saved(host);
    await expect(host.start({ name: "locked" })).rejects.toMatchObject({ code: "VM_DISK_IN_USE" });
    expect((await host.start()).details).toMatchObject({ start: "warm" });
  });
});

test("templates that nobody has used for long make room, and a folder is cleared of what no record names", async () => {
  const { putTemplate } = await import("../../../src/qemu/template/template-folder.ts");
  const folder = join(await fakeQemuFolder(), "templates");
  await mkdir(folder, { mode: 0o700 });
  await writeFile(join(folder, `${slot}-${"0".repeat(16)}.state`), "left");
  for (let count = 0; count < 6; count++) {
    const own = count.toString().repeat(32);
    await putTemplate({ folder, slot: own }, { format: 1, makers, madeMs: 1, fault: "none" });
  }
  expect(await listTemplates(folder)).toHaveLength(4);
  expect(await readdir(folder)).toHaveLength(4);
});
