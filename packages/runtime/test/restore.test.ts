import { createHash } from "node:crypto";
import {
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { acquireLock } from "@box/io/node";
import type { BoxDetails, BoxEvent, ImageRequest, Reporter, SourceImage } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { FakeImages } from "./fake-images.ts";
import { openTestRuntime } from "./test-home.ts";

/** A box in a runtime that has not made it, and where its disks and their bases are. */
async function createdBox(images: FakeImages = new FakeImages()) {
  const first = await openTestRuntime();
  const { box } = await first.runtime.boxes.create({ image: "app", name: "web" });
  await first.runtime.close();
  const { runtime, home } = await openTestRuntime({ home: first.home, images });
  return { runtime, images, home, box, ...pathsOf(box) };
}

function pathsOf({ disks: { user, guest } }: BoxDetails) {
  if (user?.base === undefined || guest?.base === undefined) throw new Error("both are made");
  return {
    overlays: [user.path, guest.path],
    userBase: user.base.path,
    guestBase: guest.base.path,
    userDigest: user.base.digest,
  };
}

async function sha256(path: string): Promise<string> {
  return `sha256:${createHash("sha256")
    .update(await readFile(path))
    .digest("hex")}`;
}

/** Changes one bit in the middle of a file; its size and times stay. */
async function flipBit(path: string): Promise<void> {
  const [bytes, { atime, mtime }] = [await readFile(path), await stat(path)];
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  await chmod(path, 0o644);
  await writeFile(path, bytes);
  await utimes(path, atime, mtime);
}

const factsOfAll = (paths: readonly string[]) => Promise.all(paths.map(factsOf));

/** Gives images whose layers differ from those that a box was made from. */
class ChangedImages extends FakeImages {
  readonly #change: (image: SourceImage, other: SourceImage) => SourceImage;

  constructor(change: (image: SourceImage, other: SourceImage) => SourceImage) {
    super();
    this.#change = change;
  }

  override async ensureImage(request: ImageRequest, reporter: Reporter): Promise<SourceImage> {
    const other = await super.ensureImage({ reference: "other" }, reporter);
    return this.#change(await super.ensureImage(request, reporter), other);
  }
}

describe("restore", () => {
  test("makes lost bases again, byte for byte, and prepare keeps the overlays that it refused", async () => {
    const { runtime, images, box, overlays, userBase, guestBase, userDigest } = await createdBox();
    const before = await factsOfAll(overlays);
    const bytes = [await readFile(userBase), await readFile(guestBase)];
    await rm(userBase);
    await rm(guestBase);
    await expect(runtime.boxes.prepare("web")).rejects.toMatchObject({
      code: "OVERLAY_BACKING_MISSING",
      hint: expect.stringContaining('"box rootfs restore web"'),
    });
    const restored = await runtime.boxes.restore("web");
    expect(restored).toMatchObject({ id: box.id, name: "web" });
    expect(restored.bases.toSorted((a, b) => b.disk.localeCompare(a.disk))).toEqual([
      { disk: "user", path: userBase, outcome: "restored", found: "missing" },
      { disk: "guest", path: guestBase, outcome: "restored", found: "missing" },
    ]);
    expect(images.asked.toSorted()).toEqual([`app@${box.image.digest}`, "bootstrap"]);
    expect(await sha256(userBase)).toBe(userDigest);
    expect([await readFile(userBase), await readFile(guestBase)]).toEqual(bytes);
    expect(await factsOfAll(overlays)).toEqual(before);
    const { container, guest } = await runtime.boxes.prepare("web");
    expect([container.disk.outcome, guest]).toMatchObject(["kept", { disk: { outcome: "kept" } }]);
    expect(await factsOfAll(overlays)).toEqual(before);
    expect(await runtime.boxes.inspect("web")).toMatchObject({ state: "created" });
  });

  test("changes nothing when nothing is lost, and asks for no image", async () => {
    const { runtime, images, overlays, userBase, guestBase } = await createdBox();
    const paths = [...overlays, userBase, guestBase];
    const before = await factsOfAll(paths);
    const state = await runtime.boxes.inspect("web");
    const { bases } = await runtime.boxes.restore("web");
    expect(bases.map(({ outcome }) => outcome)).toEqual(["kept", "kept"]);
    expect(bases.map(({ path }) => path).toSorted()).toEqual([userBase, guestBase].toSorted());
    expect(await factsOfAll(paths)).toEqual(before);
    expect(images.asked).toEqual([]);
    const { operations: _, ...after } = await runtime.boxes.inspect("web");
    expect(state).toMatchObject(after);
  });

  test("makes only the base that is lost, tells what it does, and is an operation of the box", async () => {
    const { runtime, images, userBase, guestBase } = await createdBox();
    const before = await factsOf(userBase);
    await rm(guestBase);
    const events: BoxEvent[] = [];
    const onEvent = (event: BoxEvent) => events.push(event);
    const { bases } = await runtime.boxes.restore("web", { onEvent, operation: "op-1" });
    expect(bases).toContainEqual({ disk: "user", path: userBase, outcome: "kept" });
    expect(await factsOf(userBase)).toEqual(before);
    expect(images.asked).toEqual(["bootstrap"]);
    const told = events.flatMap((event) =>
      "message" in event ? [[event.type, event.message]] : [],
    );
    expect(told).toEqual(
      expect.arrayContaining([
        ["cached", `the base of the user disk is there: ${userBase}`],
        ["warning", `the base of the guest disk is missing: ${guestBase}`],
        ["info", `restored the base of the guest disk: ${guestBase}`],
      ]),
    );
    expect(new Set(events.map(({ plan }) => plan))).toEqual(new Set(["restore"]));
    expect(await runtime.operations.get("op-1")).toMatchObject({
      kind: "restore",
      state: "succeeded",
    });
    expect(await runtime.operations.events("op-1")).toEqual(events);
  });

  test.each<[string, string, (path: string) => Promise<unknown>]>([
    ["a truncated file", "other-size", (path) => truncate(path, 4096)],
    ["a file with one wrong bit", "other-content", (path) => flipBit(path)],
    ["an empty file", "other-size", (path) => truncate(path, 0)],
    ["a link to nothing", "missing", (path) => rm(path).then(() => symlink("/nowhere", path))],
    ["an empty folder", "not-regular", (path) => rm(path).then(() => mkdir(path))],
  ])("puts the base in the place of %s", async (_, found, damage) => {
    const { runtime, userBase, userDigest } = await createdBox();
    await damage(userBase);
    const { bases } = await runtime.boxes.restore("web");
    expect(bases).toContainEqual({ disk: "user", path: userBase, outcome: "restored", found });
    expect(await sha256(userBase)).toBe(userDigest);
  });

  test("makes the folder of bases and their records again, too", async () => {
    const { runtime, home, userBase, userDigest } = await createdBox();
    await rm(join(home, "bases"), { recursive: true });
    await runtime.boxes.restore("web");
    expect(await sha256(userBase)).toBe(userDigest);
    expect(await readdir(join(home, "bases"))).toHaveLength(4);
  });

  test("makes one base once for both disks that are on it", async () => {
    const first = await openTestRuntime();
    const guestRootfs = { type: "disk", reference: "app" } as const;
    const { box } = await first.runtime.boxes.create({ image: "app", name: "web", guestRootfs });
    const { userBase, guestBase, userDigest } = pathsOf(box);
    expect(guestBase).toBe(userBase);
    await rm(userBase);
    const { bases } = await first.runtime.boxes.restore("web");
    expect(bases.map(({ outcome }) => outcome)).toEqual(["restored", "restored"]);
    expect(await sha256(userBase)).toBe(userDigest);
    expect(first.images.asked.slice(-2)).toEqual(Array(2).fill(`app@${box.image.digest}`));
  });

  test("of a box without a guest disk restores the one base that it has", async () => {
    const { runtime } = await openTestRuntime();
    const guestRootfs = { type: "initramfs" } as const;
    const { box } = await runtime.boxes.create({ image: "app", name: "web", guestRootfs });
    await rm(box.disks.user?.base?.path ?? "");
    const { bases } = await runtime.boxes.restore("web");
    expect(bases).toMatchObject([{ disk: "user", outcome: "restored" }]);
  });
});

describe("restore refuses and changes nothing:", () => {
  /** Expects a refusal that leaves overlays, the box's state and the bases folder as they are. */
  async function expectRefused(
    { runtime, home, overlays }: Awaited<ReturnType<typeof createdBox>>,
    expected: Readonly<Record<string, unknown>>,
  ) {
    const before = await factsOfAll(overlays);
    const bases = await readdir(join(home, "bases"));
    await expect(runtime.boxes.restore("web", { operation: "op-1" })).rejects.toMatchObject(
      expected,
    );
    expect(await factsOfAll(overlays)).toEqual(before);
    expect(await readdir(join(home, "bases"))).toEqual(bases);
    expect(await runtime.boxes.inspect("web")).toMatchObject({ state: "created" });
  }

  test("an image that cannot be had, even where the other base could be made", async () => {
    const made = await createdBox();
    await rm(made.userBase);
    await rm(made.guestBase);
    made.images.failOnce("app");
    await expectRefused(made, { code: "OCI_NETWORK", kind: "network" });
    expect(await made.runtime.operations.get("op-1")).toMatchObject({ state: "failed" });
    await made.runtime.boxes.restore("web");
    await expect(made.runtime.boxes.prepare("web")).resolves.toBeDefined();
  });

  test("an image whose layers are others by now", async () => {
    const images = new ChangedImages((image, { layers }) => ({ ...image, layers }));
    const made = await createdBox(images);
    await rm(made.userBase);
    await expectRefused(made, {
      code: "BOX_BASE_CHANGED",
      kind: "conflict",
      details: { path: made.userBase, disk: "user" },
    });
  });

  test("a base that was made again with other content", async () => {
    const images = new ChangedImages((image, { layers: [other] }) => ({
      ...image,
      layers: image.layers.map((layer) => ({ ...layer, open: other?.open ?? layer.open })),
    }));
    const made = await createdBox(images);
    await truncate(made.userBase, 4096);
    await expectRefused(made, { code: "ROOTFS_BASE_DIGEST_MISMATCH", kind: "corrupt" });
    expect(await readFile(made.userBase)).toHaveLength(4096);
  });

  test("a base of a home that was moved", async () => {
    const made = await createdBox();
    await made.runtime.close();
    await rm(made.userBase);
    await rename(made.home, `${made.home}-moved`);
    const { runtime, images } = await openTestRuntime({ home: `${made.home}-moved` });
    await expect(runtime.boxes.restore("web")).rejects.toMatchObject({
      code: "BOX_BASE_FOREIGN",
      kind: "unsupported",
    });
    expect(images.asked).toEqual([]);
  });

  test("a folder with something in it in the place of the base", async () => {
    const made = await createdBox();
    await rm(made.userBase);
    await mkdir(made.userBase);
    await writeFile(join(made.userBase, "precious"), "");
    await expectRefused(made, { kind: "io" });
    expect(await readdir(made.userBase)).toEqual(["precious"]);
  });

  test("a base that cannot be looked at", async () => {
    const made = await createdBox();
    await rm(made.userBase);
    await symlink(made.userBase, made.userBase);
    await expectRefused(made, { kind: "io" });
    expect(made.images.asked).toEqual([]);
  });

  test("a box that another process works on", async () => {
    const made = await createdBox();
    await rm(made.userBase);
    const path = join(made.home, "locks", `box-${made.box.id}.lock`);
    await using _lock = await acquireLock(path, { command: "testing" });
    const restoring = made.runtime.boxes.restore("web", { lockTimeoutMs: 0 });
    await expect(restoring).rejects.toMatchObject({ code: "BOX_IN_USE", kind: "in-use" });
    expect(made.images.asked).toEqual([]);
  });

  test("when it is stopped, and the operation is told as cancelled", async () => {
    const made = await createdBox();
    await rm(made.userBase);
    const controller = new AbortController();
    const restoring = made.runtime.boxes.restore("web", {
      operation: "op-2",
      signal: controller.signal,
      onEvent: ({ type }) => {
        if (type === "warning") controller.abort();
      },
    });
    await expect(restoring).rejects.toMatchObject({ kind: "aborted" });
    expect(await made.runtime.operations.get("op-2")).toMatchObject({ state: "cancelled" });
    await expect(readFile(made.userBase)).rejects.toThrow("ENOENT");
  });

  test("a name that no box has", async () => {
    const { runtime } = await openTestRuntime();
    await expect(runtime.boxes.restore("web")).rejects.toMatchObject({
      code: "BOX_NOT_FOUND",
      kind: "not-found",
    });
  });
});
