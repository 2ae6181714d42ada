import { createHash } from "node:crypto";
import { chmod, copyFile, open, readdir, readFile, rename, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { BoxEvent, Runtime } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { openTestRuntime } from "./test-home.ts";

/** Changes a byte where it is: the file has the same size, and another time. */
async function flipBit(path: string): Promise<void> {
  await chmod(path, 0o600);
  const file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, 5000);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, 5000);
  await file.close();
}

const sha256 = async (path: string) =>
  `sha256:${createHash("sha256")
    .update(await readFile(path))
    .digest("hex")}`;

async function createdBox() {
  const { runtime, images, home } = await openTestRuntime();
  const { box } = await runtime.boxes.create({ image: "app", name: "web" });
  const { user, guest } = box.disks;
  if (user?.base?.digest === undefined || guest?.base?.digest === undefined)
    throw new Error("none");
  return { runtime, images, home, user, guest, base: { ...user.base, digest: user.base.digest } };
}

async function hearing(work: (onEvent: (event: BoxEvent) => void) => Promise<unknown>) {
  const events: BoxEvent[] = [];
  const error = await work((event) => events.push(event)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { error, events };
}

const prepare = (runtime: Runtime) =>
  hearing((onEvent) => runtime.boxes.prepare("web", { onEvent }));

describe("a base with a wrong bit", () => {
  test("is refused for a box that stands on it, which `rootfs restore` then mends", async () => {
    const { runtime, user, base } = await createdBox();
    await flipBit(base.path);
    const before = await factsOf(user.path);
    const { error, events } = await prepare(runtime);
    expect(error).toMatchObject({
      code: "OVERLAY_BACKING_MISSING",
      kind: "backing-missing",
      hint: expect.stringContaining("box rootfs restore web"),
      details: { basePath: base.path, reason: "its content is not what is recorded" },
    });
    expect(events).toContainEqual(
      expect.objectContaining({ type: "info", message: expect.stringMatching(/^verifying base/) }),
    );
    expect(events).toContainEqual(
      expect.objectContaining({ type: "overlay", name: "overlay.refused", disk: "user" }),
    );
    expect(await factsOf(user.path)).toEqual(before);
    await runtime.boxes.restore("web");
    expect(await sha256(base.path)).toBe(base.digest);
    expect((await prepare(runtime)).error).toBeUndefined();
  });

  test("is built again for a new box, by a runtime that made it and by another", async () => {
    const { runtime, home, base } = await createdBox();
    const other = await openTestRuntime({ home });
    for (const [name, each] of [
      ["two", runtime],
      ["three", other.runtime],
    ] as const) {
      await flipBit(base.path);
      const { events } = await hearing((onEvent) =>
        each.boxes.create({ image: "app", name, onEvent }),
      );
      expect(events).toContainEqual(
        expect.objectContaining({
          type: "warning",
          message: expect.stringMatching(/^the damaged base .* is kept as/),
        }),
      );
      expect(await sha256(base.path)).toBe(base.digest);
    }
    expect(await readdir(join(home, "bases", "quarantine"))).toHaveLength(2);
    expect((await prepare(runtime)).error).toBeUndefined();
  });

  test("of the guest's disk is built again for a new box, too", async () => {
    const { runtime, guest } = await createdBox();
    const { path = "", digest } = guest.base ?? {};
    await flipBit(path);
    await runtime.boxes.create({ image: "app", name: "two" });
    expect(await sha256(path)).toBe(digest);
  });

  test("is built again where the guest's disk is made again on it", async () => {
    const { runtime, guest } = await createdBox();
    const { path = "", digest } = guest.base ?? {};
    await flipBit(path);
    await rm(guest.path);
    expect((await prepare(runtime)).error).toBeUndefined();
    expect(await sha256(path)).toBe(digest);
  });
});

test("a base that was brought back is read once, and nothing is lost", async () => {
  const { runtime, images, base } = await createdBox();
  await copyFile(base.path, `${base.path}.backup`);
  await rename(`${base.path}.backup`, base.path);
  await utimes(base.path, 1000, 1000);
  const asked = images.asked.length;
  const verified = ({ events }: { readonly events: readonly BoxEvent[] }) =>
    events.filter((event) => "message" in event && event.message.startsWith("verifying base"));
  const first = await prepare(runtime);
  expect(first.error).toBeUndefined();
  expect(verified(first)).toHaveLength(1);
  const second = await prepare(runtime);
  expect(second.error).toBeUndefined();
  expect(verified(second)).toEqual([]);
  expect(images.asked).toHaveLength(asked);
});
