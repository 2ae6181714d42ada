import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openFile } from "@box/io/node";
import { allowList, checkImage, type Qcow2Image } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { type BoxDetails, Runtime } from "@box/runtime";
import { expect, onTestFinished, test } from "vitest";
import { FakeImages } from "./fake-images.ts";
import { temporaryFolder } from "./test-home.ts";
import type { VerbEnd, VerbTask } from "./verb-child.ts";

/** How many points of each verb are tried, spread evenly; `pnpm test:faults` tries every one. */
const { KILL_POINTS = "3" } = process.env;
const script = fileURLToPath(new URL("./verb-child.ts", import.meta.url));
const marker = new TextEncoder().encode("the user's data");
const later = new TextEncoder().encode("after the snapshot");
const grownBytes = 64 * 1024 * 1024;

/** A verb, and what is true of the home after its process has died at any point and another has opened it. */
interface Case {
  readonly verb: string;
  readonly args: readonly unknown[];
  /** @param isDone - Whether the verb had come to its end. */
  check(runtime: Runtime, isDone: boolean): Promise<void>;
  /** Whether it may be called again after it was done. */
  readonly refusal?: string;
}

const names = async (runtime: Runtime) => (await runtime.boxes.list()).map(({ name }) => name);
const snapshots = async (runtime: Runtime) =>
  (await runtime.boxes.listSnapshots("web")).map(({ name }) => name);

/** Asserts that a value is that of before or that of after, the latter when the verb was done. */
function expectEither(found: unknown, before: unknown, after: unknown, isDone: boolean): void {
  expect(isDone ? [after] : [before, after]).toContainEqual(found);
}

const cases: readonly Case[] = [
  {
    verb: "clone",
    args: ["web", { name: "copy" }],
    refusal: "BOX_NAME_TAKEN",
    check: async (runtime, isDone) => {
      expectEither(await names(runtime), ["web"], ["copy", "web"], isDone);
      if ((await names(runtime)).includes("copy")) {
        const { box, container } = await runtime.boxes.prepare("copy");
        expect(container.disk.outcome).toBe("kept");
        expect(await contentOf(box)).toEqual([marker, later]);
      }
      expect(await contentOf(await runtime.boxes.inspect("web"))).toEqual([marker, later]);
    },
  },
  {
    verb: "rename",
    args: ["web", "www"],
    refusal: "BOX_NOT_FOUND",
    check: async (runtime, isDone) => {
      expectEither(await names(runtime), ["web"], ["www"], isDone);
      const [name = ""] = await names(runtime);
      expect(await contentOf(await runtime.boxes.inspect(name))).toEqual([marker, later]);
    },
  },
  {
    verb: "resize",
    args: ["web", grownBytes],
    check: async (runtime, isDone) => {
      const { box, container } = await runtime.boxes.prepare("web");
      const size = container.disk.virtualSizeBytes;
      if (isDone) expect(size).toBe(grownBytes);
      expect(box.disks.user?.virtualSizeBytes).toBe(size);
      expect(await contentOf(box)).toEqual([marker, later]);
    },
  },
  {
    verb: "createSnapshot",
    args: ["web", "s2"],
    refusal: "BOX_SNAPSHOT_NAME_TAKEN",
    check: async (runtime, isDone) => {
      expectEither(await snapshots(runtime), ["s1"], ["s1", "s2"], isDone);
      expect(await contentOf(await runtime.boxes.inspect("web"))).toEqual([marker, later]);
    },
  },
  {
    verb: "restoreSnapshot",
    args: ["web", "s1"],
    check: async (runtime, isDone) => {
      const content = await contentOf(await runtime.boxes.inspect("web"));
      const zeros = new Uint8Array(later.byteLength);
      expectEither(content, [marker, later], [marker, zeros], isDone);
      expect(await snapshots(runtime)).toEqual(["s1"]);
    },
  },
  {
    verb: "removeSnapshot",
    args: ["web", "s1"],
    refusal: "BOX_SNAPSHOT_NOT_FOUND",
    check: async (runtime, isDone) => {
      expectEither(await snapshots(runtime), ["s1"], [], isDone);
      expect(await contentOf(await runtime.boxes.inspect("web"))).toEqual([marker, later]);
    },
  },
  {
    verb: "export",
    args: ["web", "ARCHIVE.new"],
    refusal: "IO_EXISTS",
    check: async (runtime, isDone) => {
      const archive = join(runtime.home.root, "..", "archive.new");
      if (isDone || existsSync(archive)) {
        const { box } = await runtime.boxes.import(archive, { name: "copy" });
        expect(await contentOf(box)).toEqual([marker, later]);
        await runtime.boxes.remove("copy");
      }
    },
  },
  {
    verb: "import",
    args: ["ARCHIVE", { name: "copy" }],
    refusal: "BOX_NAME_TAKEN",
    check: async (runtime, isDone) => {
      expectEither(await names(runtime), ["web"], ["copy", "web"], isDone);
      if ((await names(runtime)).includes("copy")) {
        expect(await contentOf(await runtime.boxes.inspect("copy"))).toEqual([marker, later]);
      }
    },
  },
];

test.each(cases)(
  "$verb killed at any operation is done or undone, and the next process goes on",
  { timeout: 3_600_000 },
  async ({ verb, refusal, check, ...given }) => {
    const { home, archive, restore } = await makeTemplate();
    const args = given.args.map((arg) =>
      typeof arg === "string" ? arg.replace("ARCHIVE", archive) : arg,
    );
    const whole = await runVerb({ home, verb, args, killAt: 0 });
    if (whole?.type !== "done") throw new Error(JSON.stringify(whole));
    const { operations } = whole;
    expect(operations).toBeGreaterThan(3);
    let killed = 0;
    for (const killAt of pointsOf(operations)) {
      await restore();
      const end = await runVerb({ home, verb, args, killAt });
      if (end === undefined) killed += 1;
      // How often waiting events are stored depends on time, and so does the last number.
      else expect(end.type === "done" ? end.operations : end).toBeLessThan(killAt);
      await using runtime = await Runtime.open({ home, images: new FakeImages() });
      await check(runtime, end !== undefined);
      for (const { name } of await runtime.boxes.list()) {
        const { container, guest } = await runtime.boxes.prepare(name);
        expect(container.disk.outcome).toBe("kept");
        expect(guest.type === "disk" && guest.disk.outcome).toBe("kept");
      }
      expect(await litter(home)).toEqual([]);
      const states = (await runtime.operations.list()).map(({ state }) => state);
      expect(states).not.toContain("running");
      await runtime.close();
      const again = await runVerb({ home, verb, args, killAt: 0 });
      if (again?.type === "error") expect(again.code).toBe(refusal);
      else expect(again?.type).toBe("done");
      await using after = await Runtime.open({ home, images: new FakeImages() });
      await check(after, true);
    }
    expect(killed).toBeGreaterThan(pointsOf(operations).length / 2);
  },
);

function pointsOf(operations: number): readonly number[] {
  const every = Array.from({ length: operations }, (_, index) => index + 1);
  if (KILL_POINTS === "all") return every;
  const step = Math.max(1, operations / (Number(KILL_POINTS) + 0.5));
  const chosen = Array.from({ length: Number(KILL_POINTS) }, (_, index) =>
    Math.max(1, Math.round((index + 1) * step)),
  );
  return [...new Set(chosen)].filter((point) => point <= operations);
}

/** A home with a box whose disk holds data and a snapshot, and a way to have it back as it was. */
async function makeTemplate() {
  const folder = await temporaryFolder();
  const home = join(folder, "home");
  const runtime = await Runtime.open({ home, images: new FakeImages() });
  const { box } = await runtime.boxes.create({
    image: "app",
    name: "web",
    diskSizeBytes: 32 * 1024 * 1024,
  });
  await write(box, 0, marker);
  await runtime.boxes.createSnapshot("web", "s1");
  await write(box, 20 * 1024 * 1024, later);
  const archive = join(folder, "archive");
  await runtime.boxes.export("web", archive);
  await runtime.close();
  const template = join(folder, "template");
  await cp(home, template, { recursive: true, preserveTimestamps: true });
  const restore = async () => {
    await rm(home, { recursive: true });
    await rm(`${archive}.new`, { force: true });
    await cp(template, home, { recursive: true, preserveTimestamps: true });
  };
  return { home, archive, restore };
}

async function open(box: BoxDetails, mode: "r" | "rw"): Promise<Qcow2Image> {
  const base = box.disks.user?.base?.path ?? "";
  const backing = allowList([
    { name: base, open: async () => ({ source: await openFile(base), format: "raw" as const }) },
  ]);
  return openImageFile(box.disks.user?.path ?? "", { mode, backing });
}

async function write(box: BoxDetails, offset: number, bytes: Uint8Array): Promise<void> {
  await using image = await open(box, "rw");
  await image.write(offset, bytes);
}

/** What the user's disk holds at the two places; the image must be free of corruption. */
async function contentOf(box: BoxDetails): Promise<readonly Uint8Array[]> {
  await using file = await openFile(box.disks.user?.path ?? "");
  expect((await checkImage(file)).counters).toMatchObject({ corruptions: 0 });
  await using image = await open(box, "r");
  return [
    new Uint8Array(await image.read(0, marker.byteLength)),
    new Uint8Array(await image.read(20 * 1024 * 1024, later.byteLength)),
  ];
}

/** Files of dead processes, and folders of no box. */
async function litter(home: string): Promise<readonly string[]> {
  const all = await readdir(home, { recursive: true });
  const boxes = await readdir(join(home, "boxes"));
  await using runtime = await Runtime.open({ home, images: new FakeImages() });
  const known = (await runtime.boxes.list()).map(({ id }) => id);
  return [
    ...all.filter((name) => name.includes(".tmp-")),
    ...boxes.filter((id) => !known.includes(id)),
  ];
}

/** Runs a verb in a process of its own. @returns Nothing when it was killed. */
async function runVerb(task: VerbTask): Promise<VerbEnd | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<VerbEnd | undefined>();
  const args = ["--conditions=@box/source", script, JSON.stringify(task)];
  const child = execFile(process.execPath, args, (error, stdout) => {
    if (error?.signal === "SIGKILL") resolve(undefined);
    else if (error !== null) reject(error);
    else resolve(JSON.parse(stdout) as VerbEnd);
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return promise;
}
