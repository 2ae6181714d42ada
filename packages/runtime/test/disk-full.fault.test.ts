import { execFileSync } from "node:child_process";
import { open as openFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Runtime } from "@box/runtime";
import { InProcessEngine } from "@box/vm/testing";
import { expect, onTestFinished, test } from "vitest";
import { FakeImages } from "./fake-images.ts";
import { killChild, startChild } from "./run-child.ts";
import { temporaryFolder } from "./test-home.ts";

/** A small file system of its own, where that may be mounted. */
async function mountSmall(options = "size=8m"): Promise<string | undefined> {
  const folder = await temporaryFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `${options},mode=0700`, "tmpfs", folder], {
      stdio: "ignore",
    });
  } catch {
    return undefined;
  }
  onTestFinished(() => {
    execFileSync("umount", [folder]);
  });
  return folder;
}

async function fill(path: string, leaveBytes: number): Promise<void> {
  const file = await openFile(path, "w");
  try {
    for (const size of [65536, 4096, 512]) {
      const block = Buffer.alloc(size, 1);
      for (let full = false; !full; ) {
        full = await file.write(block).then(
          () => false,
          () => true,
        );
      }
    }
    const { size } = await file.stat();
    await file.truncate(Math.max(0, size - leaveBytes));
  } finally {
    await file.close();
  }
}

test.for([0, 64, 256, 1024])(
  "no space (%i KiB left) while a box is made is told as such, and leaves nothing half-made",
  async (leaveKib, { skip }) => {
    const folder = await mountSmall();
    if (folder === undefined) return skip("needs the right to mount a tmpfs");
    const home = join(folder, "home");
    const runtime = await Runtime.open({ home, images: new FakeImages() });
    onTestFinished(() => runtime.close());
    const { box } = await runtime.boxes.create({ image: "app", name: "first" });
    await fill(join(folder, "filler"), leaveKib * 1024);
    let failed = 0;
    for (let count = 0; failed === 0 && count < 100; count += 1) {
      const made = runtime.boxes.create({ image: "app", name: `box-${count}` });
      await made.catch((error: unknown) => {
        failed += 1;
        expect(error).toMatchObject({ kind: "no-space" });
      });
    }
    expect(failed).toBe(1);
    const known = (await runtime.boxes.list()).map(({ id }) => id);
    expect(known).toContain(box.id);
    await rm(join(folder, "filler"));
    await runtime.boxes.create({ image: "app", name: "after" });
    await runtime.boxes.prepare("first");
    await runtime.close();
    await using again = await Runtime.open({ home, images: new FakeImages() });
    const ids = (await again.boxes.list()).map(({ id }) => id).sort();
    expect((await readdir(join(home, "boxes"))).sort()).toEqual(ids);
    for (const name of await readdir(join(home, "bases"))) expect(name).not.toMatch(/^\./);
    await again.boxes.create({ image: "other", name: "last" });
    return undefined;
  },
);

test("a home without space is told as such when it is opened, and opens once there is space", async ({
  skip,
}) => {
  const folder = await mountSmall();
  if (folder === undefined) return skip("needs the right to mount a tmpfs");
  const home = join(folder, "home");
  const open = () => Runtime.open({ home, images: new FakeImages() });
  const runtime = await open();
  const { box } = await runtime.boxes.create({ image: "app", name: "web" });
  await runtime.close();
  await fill(join(folder, "filler"), 0);
  await expect(open()).rejects.toMatchObject({
    code: "STATE_NO_SPACE",
    kind: "no-space",
    hint: expect.stringContaining("free space"),
  });
  await rm(join(folder, "filler"));
  await using again = await open();
  expect(await again.boxes.list()).toMatchObject([{ id: box.id, state: "created" }]);
  return undefined;
});

test("a home on a read-only file system is told as such", async ({ skip }) => {
  const folder = await mountSmall("ro");
  if (folder === undefined) return skip("needs the right to mount a tmpfs");
  for (const home of [folder, join(folder, "home")]) {
    await expect(Runtime.open({ home })).rejects.toMatchObject({
      code: "IO_READ_ONLY",
      kind: "read-only",
    });
  }
  return undefined;
});

test("a home whose file system became read-only can be looked at, and not changed", async ({
  skip,
}) => {
  const folder = await mountSmall("size=48m");
  if (folder === undefined) return skip("needs the right to mount a tmpfs");
  const home = join(folder, "home");
  const open = () =>
    Runtime.open({ home, images: new FakeImages(), engine: new InProcessEngine() });
  const runtime = await open();
  const { box } = await runtime.boxes.create({ image: "app", name: "first" });
  const archive = join(folder, "archive");
  await runtime.boxes.export("first", archive);
  await runtime.close();
  // Left by a dead process: it cannot be taken away now.
  await writeFile(join(home, "tmp", ".tmp-1-1-0123456789abcdef"), "");
  execFileSync("mount", ["-o", "remount,ro", folder]);
  const reading = await open();
  onTestFinished(() => reading.close());
  expect(await reading.boxes.list()).toMatchObject([{ id: box.id, name: "first" }]);
  expect(await reading.boxes.inspect("first")).toMatchObject({ disks: box.disks });
  expect(await reading.boxes.listSnapshots("first")).toEqual([]);
  expect((await reading.operations.list()).map(({ kind }) => kind)).toEqual(["export", "create"]);
  expect((await reading.storage.usage()).boxes.items).toMatchObject([{ name: "first" }]);
  for (const change of [
    () => reading.boxes.create({ image: "app", name: "second" }),
    () => reading.boxes.prepare("first"),
    () => reading.boxes.start("first"),
    () => reading.boxes.rename("first", "second"),
    () => reading.boxes.clone("first", { name: "second" }),
    () => reading.boxes.import(archive, { name: "second" }),
    () => reading.boxes.remove("first"),
  ]) {
    await expect(change()).rejects.toMatchObject({ kind: "read-only" });
  }
  await reading.close();
  execFileSync("mount", ["-o", "remount,rw", folder]);
  await using again = await open();
  expect(await again.boxes.list()).toMatchObject([{ name: "first", state: "created" }]);
  expect((await again.boxes.prepare("first")).container.disk.outcome).toBe("kept");
  return undefined;
});

test("a read-only home whose last user was killed is refused: what it stored last could not be seen", async ({
  skip,
}) => {
  const folder = await mountSmall();
  if (folder === undefined) return skip("needs the right to mount a tmpfs");
  const home = join(folder, "home");
  await (await Runtime.open({ home, images: new FakeImages() })).close();
  const child = startChild({ home, create: ["web"], hang: true });
  for (let line = await child.next(); line?.type !== "event"; line = await child.next());
  await killChild(child);
  execFileSync("mount", ["-o", "remount,ro", folder]);
  await expect(Runtime.open({ home, images: new FakeImages() })).rejects.toMatchObject({
    kind: "read-only",
    hint: expect.stringContaining("writable"),
  });
  return undefined;
});
