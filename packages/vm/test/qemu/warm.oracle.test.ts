import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MachineEvent, MachineSpec } from "@box/vm";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { listTemplates } from "../../src/qemu/template/template-folder.ts";
import { bootFilesOfTests } from "./real-boot.ts";
import { openRealHost, type RealHost } from "./real-subject.ts";

const folder = await mkdtemp(join(tmpdir(), "box-warm-"));
const templates = join(folder, "templates");
const host = await openRealHost(await bootFilesOfTests(), templates);
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
const timeout = 120_000;
const patience = { timeout: 60_000 };

/** Starts a machine up to where commands run. */
async function start(real: RealHost, spec: MachineSpec, hostname = "web") {
  const events: MachineEvent[] = [];
  const machine = await real.engine.spawn(spec, { onEvent: (event) => events.push(event) });
  onTestFinished(async () => {
    await machine.stop({ graceMs: 0 });
    await machine.close();
  });
  const digests = await Promise.all(spec.disks.map(({ path }) => digestOf(path)));
  await machine.connect();
  await machine.initialize({ hostname });
  const say = async (...words: string[]) => {
    const command = await machine.exec({ command: ["/bin/contract", ...words] });
    let text = "";
    for await (const chunk of command.stdout) text += new TextDecoder().decode(chunk);
    expect(await command.wait()).toEqual({ exitCode: 0 });
    return text;
  };
  return { machine, say, digests, events, kind: machine.record.details["start"] };
}

async function digestOf(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

/** Has one machine boot, so that others of its shape have a template. */
async function save(real: RealHost, strategy: MachineSpec["guestRootfs"]): Promise<void> {
  const before = (await listTemplates(templates)).length;
  const { kind, machine } = await start(real, await real.spec(strategy));
  expect(kind).toBe("cold");
  await expect.poll(() => listTemplates(templates), patience).toHaveLength(before + 1);
  await machine.stop({ graceMs: 0 });
}

interface Identity {
  readonly name: string;
  readonly uuid: string;
  readonly random: string;
  readonly nowMs: number;
}

const title = "real machines that go on from a template";
describe.skipIf(host === undefined)(host ? title : `${title} (skipped: no QEMU or kernel)`, () => {
  const real = host as RealHost;

  test.each(["initramfs", "disk"] as const)(
    "are machines of their own, with their system on %s",
    { timeout },
    async (strategy) => {
      await save(real, strategy);
      const specs = [await real.spec(strategy), await real.spec(strategy)] as const;
      const found: Identity[] = [];
      for (const [index, spec] of specs.entries()) {
        const { kind, say, machine } = await start(real, spec, `web-${index}`);
        expect(kind).toBe("warm");
        const before = Date.now();
        const identity = JSON.parse(await say("identity")) as Identity;
        expect(identity.name).toBe(`web-${index}`);
        expect(identity.nowMs).toBeGreaterThan(before - 1000);
        expect(identity.nowMs).toBeLessThan(Date.now() + 1000);
        found.push(identity);
        await say("save", "/work/own", `content ${index}`);
        expect(await machine.stop()).toMatchObject({ step: "guest" });
      }
      expect(new Set(found.flatMap(({ uuid, random }) => [uuid, random])).size).toBe(4);
      // A template knows no disk: what is on each is read when it is mounted.
      for (const [index, spec] of specs.entries()) {
        const { kind, say } = await start(real, { ...spec, id: "e".repeat(32) });
        expect(kind).toBe("warm");
        expect(await say("show", "/work/own")).toBe(`content ${index}`);
      }
    },
  );

  test("boot, with a warning and untouched disks, when it is damaged: then there is a new one", {
    timeout,
  }, async () => {
    const spec = await real.spec("initramfs");
    const [before] = await Promise.all(spec.disks.map(({ path }) => digestOf(path)));
    const kept = await listTemplates(templates);
    for (const name of await readdir(templates)) {
      if (!name.endsWith(".state")) continue;
      const path = join(templates, name);
      const bytes = await readFile(path);
      bytes[bytes.byteLength >> 1] = (bytes[bytes.byteLength >> 1] ?? 0) ^ 1;
      await writeFile(path, bytes);
    }
    const { kind, say, digests, events, machine } = await start(real, spec);
    expect(kind).toBe("cold");
    expect(digests).toEqual([before]);
    expect(events).toContainEqual({
      type: "warning",
      code: "VM_TEMPLATE_UNUSABLE",
      message: expect.stringContaining("its state is damaged"),
    });
    expect(await say("print")).toBe("out");
    await machine.stop({ graceMs: 0 });
    await expect.poll(() => listTemplates(templates), patience).toHaveLength(kept.length);
    const next = await start(real, await real.spec("initramfs"));
    expect(next.kind).toBe("warm");
    expect(next.events.filter(({ type }) => type === "warning")).toEqual([]);
    expect(await next.say("print")).toBe("out");
  });

  test("have a network card that works, when they were given one", { timeout }, async () => {
    const server = createServer((socket) => socket.end("host"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const before = (await listTemplates(templates)).length;
    for (const wanted of ["cold", "warm"]) {
      const spec = await real.spec("initramfs");
      const { kind, say } = await start(real, { ...spec, network: "user" });
      expect(kind).toBe(wanted);
      expect(await say("dial", "10.0.2.2", String(port), "hello")).toBe("host");
      await expect.poll(() => listTemplates(templates), patience).toHaveLength(before + 1);
    }
  });

  test("have disks as large as they are: those of another size boot first", {
    timeout,
  }, async () => {
    const spec = await real.spec("initramfs");
    const before = (await listTemplates(templates)).length;
    const sizeBytes = 200 * 2 ** 20;
    await truncate(spec.disks[0]?.path ?? "", sizeBytes);
    const { kind, machine } = await start(real, spec);
    expect(kind).toBe("cold");
    expect((await machine.stats()).guest.diskBytes).toBeGreaterThan(sizeBytes * 0.9);
    await expect.poll(() => listTemplates(templates), patience).toHaveLength(before + 1);
  });
});
