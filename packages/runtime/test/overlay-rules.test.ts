import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BlobFile } from "@box/io";
import { dynamicPlan, runPlan, type Task } from "@box/pipeline";
import { inspectImage } from "@box/qcow2";
import type { BoxDetails, BoxEvent, PreparedBox, Runtime } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { openTestRuntime } from "./test-home.ts";

/** A box in a runtime that has not made it: nothing is remembered but what is in the home. */
async function createdBox() {
  const first = await openTestRuntime();
  const { box } = await first.runtime.boxes.create({ image: "app", name: "web" });
  await first.runtime.close();
  const { guest, user } = box.disks;
  if (guest === undefined || user === undefined) throw new Error("both disks are made");
  return { ...(await openTestRuntime({ home: first.home })), box, guest, user };
}

async function prepareHearing(runtime: Runtime, recreateDisk = false) {
  const events: BoxEvent[] = [];
  let value: PreparedBox | undefined;
  let error: unknown;
  try {
    const onEvent = (event: BoxEvent) => events.push(event);
    value = await runtime.boxes.prepare("web", { recreateDisk, onEvent });
  } catch (thrown) {
    error = thrown;
  }
  const names = events.flatMap((event) =>
    event.type === "overlay" ? [`${event.disk} ${event.name}`] : [],
  );
  return { value, error, events, names: names.sort() };
}

async function backingOf(path: string) {
  const info = await inspectImage(new BlobFile(new Blob([await readFile(path)])));
  return { name: info.backing?.name, format: info.backing?.format, size: info.virtualSizeBytes };
}

/** A version 3 header with this backing name, all other fields zero. */
function minimalHeader(name: Uint8Array): Buffer {
  const header = Buffer.alloc(512);
  header.write("QFI\xfb", 0, "latin1");
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(104n, 8);
  header.writeUInt32BE(name.byteLength, 16);
  header.set(name, 104);
  return header;
}

async function overwriteBackingName(path: string, name: Uint8Array): Promise<void> {
  const bytes = await readFile(path);
  const offset = Number(bytes.readBigUInt64BE(8));
  bytes.writeUInt32BE(name.byteLength, 16);
  bytes.set(name, offset);
  await writeFile(path, bytes);
}

const notUtf8 = Uint8Array.of(0xff, 0xfe, 0xfd);

describe("a valid guest overlay", () => {
  test("is kept: length, times and bytes unchanged, its backing file the canonical base", async () => {
    const { runtime, guest } = await createdBox();
    const before = await factsOf(guest.path);
    const { names, value } = await prepareHearing(runtime);
    expect(await factsOf(guest.path)).toEqual(before);
    expect(names).toEqual(["guest overlay.kept", "user overlay.kept"]);
    expect(value).toMatchObject({ guest: { disk: { outcome: "kept", path: guest.path } } });
    expect(await backingOf(guest.path)).toEqual({
      name: guest.base?.path,
      format: "raw",
      size: BigInt(guest.virtualSizeBytes),
    });
  });

  test("restarts without the image, without the cache's records and without the network", async () => {
    const { runtime, images, home } = await createdBox();
    images.isOffline = true;
    for (const name of await readdir(join(home, "bases"))) {
      if (name.endsWith(".json")) await rm(join(home, "bases", name));
    }
    const { names } = await prepareHearing(runtime);
    expect(names).toEqual(["guest overlay.kept", "user overlay.kept"]);
    expect(images.asked).toEqual([]);
  });

  test("is kept in a box that failed before", async () => {
    const { runtime, guest, user } = await createdBox();
    const before = await factsOf(guest.path);
    await rename(user.path, `${user.path}.away`);
    await prepareHearing(runtime);
    expect(await runtime.boxes.inspect("web")).toMatchObject({
      state: "failed",
      error: { code: "OVERLAY_MISSING" },
    });
    await rename(`${user.path}.away`, user.path);
    const { names } = await prepareHearing(runtime);
    expect(names).toEqual(["guest overlay.kept", "user overlay.kept"]);
    expect(await factsOf(guest.path)).toEqual(before);
    const box = await runtime.boxes.inspect("web");
    expect(box.state).toBe("created");
    expect(box.error).toBeUndefined();
  });
});

describe("a corrupt guest overlay is moved to quarantine and made again", () => {
  const damages: readonly (readonly [string, (path: string) => Promise<void>])[] = [
    ["all zeros", async (path) => writeFile(path, Buffer.alloc((await stat(path)).size))],
    ["10 bytes", (path) => writeFile(path, "0123456789")],
    ["no bytes", (path) => writeFile(path, "")],
    [
      "a backing name of ff fe fd in a minimal header whose other fields are zero",
      (path) => writeFile(path, minimalHeader(notUtf8)),
    ],
    [
      "a backing name of ff fe fd in an otherwise valid overlay",
      (path) => overwriteBackingName(path, notUtf8),
    ],
  ];

  test.each(damages)("when it is %s", async (_, damage) => {
    const { runtime, images, box, guest } = await createdBox();
    await damage(guest.path);
    const damaged = await readFile(guest.path);
    const { names, events, value } = await prepareHearing(runtime);
    expect(names).toEqual([
      "guest overlay.quarantined",
      "guest overlay.recreated",
      "user overlay.kept",
    ]);
    const warnings = events.filter(
      (event) => event.type === "overlay" && event.level === "warning",
    );
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({
      name: "overlay.quarantined",
      disk: "guest",
      reason: expect.any(String),
      code: expect.stringMatching(/^[A-Z0-9_]+$/),
    });
    expect(value).toMatchObject({ guest: { disk: { outcome: "recreated" } } });
    expect(await backingOf(guest.path)).toMatchObject({ name: guest.base?.path, format: "raw" });
    const [kept] = await readdir(join(box.directory, "quarantine"));
    expect(await readFile(join(box.directory, "quarantine", kept ?? ""))).toEqual(damaged);
    expect(images.asked).toEqual([]);
    expect((await prepareHearing(runtime)).names).toEqual([
      "guest overlay.kept",
      "user overlay.kept",
    ]);
  });
});

describe("a guest overlay that is missing", () => {
  test("is made again on the recorded base, without the image", async () => {
    const { runtime, images, guest } = await createdBox();
    await rm(guest.path);
    const { names } = await prepareHearing(runtime);
    expect(names).toEqual(["guest overlay.created", "user overlay.kept"]);
    expect(await backingOf(guest.path)).toMatchObject({ name: guest.base?.path });
    expect(images.asked).toEqual([]);
  });

  test("is made again on a base that is built again when that is missing too", async () => {
    const { runtime, images, guest } = await createdBox();
    await rm(guest.path);
    await rm(guest.base?.path ?? "");
    const { names } = await prepareHearing(runtime);
    expect(names).toEqual(["guest overlay.created", "user overlay.kept"]);
    expect(images.asked).toEqual(["bootstrap"]);
    expect((await stat(guest.base?.path ?? "")).size).toBe(guest.base?.sizeBytes);
  });
});

describe("what cannot be judged is refused and stays", () => {
  test("a directory in the place of the overlay is an I/O error and is not deleted", async () => {
    const { runtime, guest } = await createdBox();
    await rm(guest.path);
    await mkdir(guest.path);
    const { error, names } = await prepareHearing(runtime);
    expect(error).toMatchObject({
      code: "OVERLAY_IO",
      kind: "io",
      message: expect.stringContaining("refusing to discard"),
    });
    expect(names).toContain("guest overlay.refused");
    expect((await stat(guest.path)).isDirectory()).toBe(true);
  });

  test("a missing backing file is refused, and the overlay stays", async () => {
    const { runtime, images, guest } = await createdBox();
    await rm(guest.base?.path ?? "");
    const before = await factsOf(guest.path);
    const { error } = await prepareHearing(runtime);
    expect(error).toMatchObject({
      code: "OVERLAY_BACKING_MISSING",
      kind: "backing-missing",
      message: expect.stringContaining(`has missing backing file: ${guest.base?.path}`),
    });
    expect(await factsOf(guest.path)).toEqual(before);
    expect(images.asked).toEqual([]);
  });

  test("a corrupt overlay whose base is missing is refused, and stays", async () => {
    const { runtime, guest, box } = await createdBox();
    await rm(guest.base?.path ?? "");
    await writeFile(guest.path, "garbage");
    const before = await factsOf(guest.path);
    const { error } = await prepareHearing(runtime);
    expect(error).toMatchObject({ code: "OVERLAY_BACKING_MISSING" });
    expect(await factsOf(guest.path)).toEqual(before);
    expect(await readdir(box.directory)).toEqual(["disks"]);
  });

  test("a base of another size is refused as missing, and the overlay stays", async () => {
    const { runtime, guest } = await createdBox();
    await rm(guest.base?.path ?? "");
    await writeFile(guest.base?.path ?? "", "short");
    const before = await factsOf(guest.path);
    const { error } = await prepareHearing(runtime);
    expect(error).toMatchObject({ code: "OVERLAY_BACKING_MISSING" });
    expect(await factsOf(guest.path)).toEqual(before);
  });

  test("a box whose whole folder is gone is refused, and no empty disk is put in its place", async () => {
    const { runtime, box } = await createdBox();
    await rename(box.directory, `${box.directory}.away`);
    const { error } = await prepareHearing(runtime);
    expect(error).toMatchObject({ code: "OVERLAY_IO" });
    await expect(stat(box.directory)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("the user's disk", () => {
  test("that is corrupt is refused with the commands that go on, and stays", async () => {
    const { runtime, user } = await createdBox();
    await writeFile(user.path, "garbage");
    const before = await factsOf(user.path);
    const { error } = await prepareHearing(runtime);
    expect(error).toMatchObject({
      code: "OVERLAY_CORRUPT",
      kind: "corrupt",
      hint: expect.stringContaining("box prepare web --recreate-disk"),
    });
    expect(await factsOf(user.path)).toEqual(before);
  });

  test("that is absent is refused", async () => {
    const { runtime, user } = await createdBox();
    await rm(user.path);
    const { error } = await prepareHearing(runtime);
    expect(error).toMatchObject({ code: "OVERLAY_MISSING" });
    await expect(stat(user.path)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("that is corrupt is made again when that is asked for, and the old one is kept", async () => {
    const { runtime, user, box } = await createdBox();
    await writeFile(user.path, "garbage");
    const { names } = await prepareHearing(runtime, true);
    expect(names).toEqual([
      "guest overlay.kept",
      "user overlay.quarantined",
      "user overlay.recreated",
    ]);
    const [kept] = await readdir(join(box.directory, "quarantine"));
    expect(await readFile(join(box.directory, "quarantine", kept ?? ""), "utf8")).toBe("garbage");
  });

  test("that is absent is made again when that is asked for, in its recorded size", async () => {
    const { runtime } = await openTestRuntime();
    const diskSizeBytes = 1 << 30;
    const { box } = await runtime.boxes.create({ image: "app", name: "web", diskSizeBytes });
    const { path = "" } = box.disks.user ?? {};
    await rm(path);
    const { names } = await prepareHearing(runtime, true);
    expect(names).toEqual(["guest overlay.kept", "user overlay.created"]);
    expect((await backingOf(path)).size).toBe(BigInt(diskSizeBytes));
  });

  test("that is sound is kept even when a new one is allowed", async () => {
    const { runtime, user } = await createdBox();
    const before = await factsOf(user.path);
    await prepareHearing(runtime, true);
    expect(await factsOf(user.path)).toEqual(before);
  });
});

describe("the tasks by themselves", () => {
  test("without a layout say that the filesystem task must run first", async () => {
    const { runtime } = await openTestRuntime();
    const inputs = { box: {}, policy: {} };
    for (const task of [runtime.tasks.guestRootfsInit, runtime.tasks.containerRootfsPrep]) {
      const plan = dynamicPlan({ name: "start", stages: [[task as Task]] });
      await expect(runPlan(plan, { inputs })).rejects.toMatchObject({
        code: "PIPELINE_MISSING_INPUT",
        message: "filesystem task must run first",
      });
    }
  });
});

describe("the history of a box", () => {
  test("holds each decision, and inspect shows it", async () => {
    const { runtime, guest } = await createdBox();
    await writeFile(guest.path, "garbage");
    await prepareHearing(runtime);
    await rm(guest.base?.path ?? "");
    await prepareHearing(runtime);
    const { history, operations }: BoxDetails = await runtime.boxes.inspect("web");
    const guestNames = history.flatMap((event) =>
      event.type === "overlay" && event.disk === "guest" ? [event.name] : [],
    );
    expect(guestNames).toEqual([
      "overlay.created",
      "overlay.quarantined",
      "overlay.recreated",
      "overlay.refused",
    ]);
    expect(operations.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      "prepare failed",
      "prepare succeeded",
      "create succeeded",
    ]);
  });
});
