import { cp, link, mkdir, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { acquireLock, processIdentity } from "@box/io/node";
import { Runtime } from "@box/runtime";
import { writeSampleLayout } from "@box/sample-image";
import { describe, expect, onTestFinished, test } from "vitest";
import { putLease } from "../src/state/leases-table.ts";
import { StateStore } from "../src/state/state-store.ts";
import { judgeImages } from "../src/storage/judge-images.ts";
import { FakeImages } from "./fake-images.ts";
import { openTestRuntime, temporaryFolder } from "./test-home.ts";

const hourMs = 3_600_000;

async function twoBoxes() {
  const opened = await openTestRuntime();
  const { runtime } = opened;
  const { box: web } = await runtime.boxes.create({ image: "app", name: "web" });
  const { box: db } = await runtime.boxes.create({ image: "db", name: "db" });
  return { ...opened, web, db };
}

/** A runtime on a home with an image store of its own, and the name of the image in it. */
async function withSampleImage(options: { readonly newId?: () => string } = {}) {
  const folder = await temporaryFolder();
  await writeSampleLayout(join(folder, "layout"), "latest");
  const runtime = await Runtime.open({ home: join(folder, "home"), ...options });
  onTestFinished(() => runtime.close());
  const image = `oci:${join(folder, "layout")}:latest`;
  const store = await runtime.imageStore();
  await store.pull(image);
  return { runtime, store, image };
}

describe("usage", () => {
  test("of a new home is nothing, and looking makes no image store", async () => {
    const { runtime, home } = await openTestRuntime();
    const { total, images, bases, boxes } = await runtime.storage.usage();
    expect(total).toMatchObject({ logicalBytes: 0, allocatedBytes: 0, reclaimableBytes: 0 });
    expect([...images.items, ...bases.items, ...boxes.items]).toEqual([]);
    expect(await readdir(join(home, "images"))).toEqual([]);
  });

  test("tells bases that several disks share from those of one, and names the users", async () => {
    const { runtime, web } = await twoBoxes();
    const { bases, boxes, total } = await runtime.storage.usage();
    const guest = bases.items.find(({ name }) => name === web.disks.guest?.base?.key);
    expect(guest).toMatchObject({
      usedBy: ["guest disk of box db", "guest disk of box web"],
      uniqueBytes: 0,
      reclaimableBytes: 0,
    });
    expect(guest?.sharedBytes).toBe(guest?.allocatedBytes);
    const own = bases.items.find(({ name }) => name === web.disks.user?.base?.key);
    expect(own).toMatchObject({ usedBy: ["disk of box web"], sharedBytes: 0 });
    const path = web.disks.user?.base?.path ?? "";
    const [disk, record] = [await stat(path), await stat(path.replace(/ext4$/, "json"))];
    expect(own?.logicalBytes).toBe(disk.size + record.size);
    expect(own?.allocatedBytes).toBe((disk.blocks + record.blocks) * 512);
    expect(own?.uniqueBytes).toBe(own?.allocatedBytes);
    expect(boxes.items.map(({ name }) => name)).toEqual(["db", "web"]);
    expect(boxes.uniqueBytes).toBe(boxes.allocatedBytes);
    expect(total.allocatedBytes).toBe(bases.allocatedBytes + boxes.allocatedBytes);
  });

  test("counts the folder of a box that no record knows, and says that nobody knows it", async () => {
    const { runtime, home, web } = await twoBoxes();
    const { boxes } = await runtime.storage.usage();
    const stray = join(home, "boxes", "0".repeat(32));
    await cp(web.directory, stray, { recursive: true });
    const { items, allocatedBytes } = (await runtime.storage.usage()).boxes;
    expect(items.at(-1)).toMatchObject({ name: stray, usedBy: ["a folder of no known box"] });
    expect(allocatedBytes).toBeGreaterThan(boxes.allocatedBytes);
  });

  test("tells what a prune would give back", async () => {
    const { runtime } = await twoBoxes();
    await runtime.boxes.remove("db");
    const { bases, total } = await runtime.storage.usage();
    const unused = bases.items.filter(({ usedBy }) => usedBy.length === 0);
    expect(unused).toHaveLength(1);
    expect(bases.reclaimableBytes).toBe(unused[0]?.allocatedBytes);
    expect(total.reclaimableBytes).toBe((await runtime.storage.prune()).freedBytes);
    expect((await runtime.storage.usage()).total.reclaimableBytes).toBe(0);
  });

  test("counts a blob of two images as shared, and two names of a file once", async () => {
    const { runtime, store, image } = await withSampleImage();
    await store.tag(image, "docker.io/library/other:v1");
    const { images } = await runtime.storage.usage();
    expect(images.items).toHaveLength(2);
    for (const item of images.items) {
      expect(item.usedBy).toEqual(["its name in the store"]);
      expect(item.uniqueBytes).toBe(0);
      expect(item.sharedBytes).toBe(item.allocatedBytes);
    }
    expect(images.sharedBytes).toBe(images.items[0]?.sharedBytes);
    const before = images.allocatedBytes;
    const blobs = join(store.layout.directory, "blobs", "sha256");
    const [blob = ""] = await readdir(blobs);
    await link(join(blobs, blob), join(blobs, "link"));
    expect((await runtime.storage.usage()).images.allocatedBytes).toBe(before);
  });
});

describe("prune", () => {
  test("removes bases that no box uses, says why, and why the others stay", async () => {
    const { runtime, web, db, home } = await twoBoxes();
    await runtime.boxes.remove("db");
    const dry = await runtime.storage.prune({ dryRun: true });
    expect(dry.removed).toEqual([
      {
        kind: "base",
        name: db.disks.user?.base?.key,
        bytes: dry.freedBytes,
        reason: "no box, lease or quarantined disk uses it",
      },
    ]);
    expect(dry.kept.map(({ name, reasons }) => [name, reasons])).toEqual(
      expect.arrayContaining([
        [web.disks.user?.base?.key, ["disk of box web"]],
        [web.disks.guest?.base?.key, ["guest disk of box web"]],
      ]),
    );
    expect(await stat(db.disks.user?.base?.path ?? "")).toBeDefined();
    expect(await runtime.storage.prune()).toEqual({ ...dry, dryRun: false });
    const left = await readdir(join(home, "bases"));
    expect(left.filter((name) => name.includes(db.disks.user?.base?.key ?? "?"))).toEqual([]);
    expect(left).toHaveLength(4);
    await runtime.boxes.prepare("web");
    await runtime.boxes.create({ image: "db", name: "db" });
    expect((await runtime.storage.prune()).removed).toEqual([]);
  });

  test("keeps a base under lease, and removes one whose holder is dead", async () => {
    const { runtime, db } = await twoBoxes();
    await runtime.boxes.remove("db");
    const key = db.disks.user?.base?.key ?? "";
    const state = await StateStore.open(runtime.home, { now: () => 0 } as never);
    const lease = {
      id: "l",
      resource: `base:${key}`,
      purpose: "testing",
      owner: processIdentity(),
    };
    state.transaction((database) => putLease(database, lease, 0));
    const { kept } = await runtime.storage.prune();
    expect(kept).toContainEqual({
      kind: "base",
      name: key,
      bytes: expect.any(Number),
      reasons: [`process ${process.pid}, testing`],
    });
    state.transaction((database) =>
      database.run("UPDATE leases SET owner = :owner", {
        owner: JSON.stringify({ ...lease.owner, startTime: "1" }),
      }),
    );
    state[Symbol.dispose]();
    expect((await runtime.storage.prune()).removed.map(({ name }) => name)).toEqual([key]);
  });

  test("keeps a base that is being built", async () => {
    const { runtime, db, home } = await twoBoxes();
    await runtime.boxes.remove("db");
    const key = db.disks.user?.base?.key ?? "";
    const lock = await acquireLock(join(home, "locks", `base-${key}.lock`));
    const { kept, removed } = await runtime.storage.prune();
    await lock.release();
    expect(removed).toEqual([]);
    expect(kept.find(({ name }) => name === key)?.reasons).toEqual([
      "another process is building or reading it",
    ]);
  });

  test("removes quarantined disks from the given age on only, and then the base that they name", async () => {
    let nowMs = 1_000_000 * hourMs;
    const clock = { now: () => nowMs, monotonicMs: () => 0, after: () => () => {} };
    const { runtime } = await openTestRuntime({ clock: clock as never });
    const { box } = await runtime.boxes.create({ image: "app", name: "web" });
    const path = box.disks.user?.path ?? "";
    const key = box.disks.user?.base?.key ?? "";
    const quarantined = join(box.directory, "quarantine", "disk.qcow2.corrupt-0123456789abcdef");
    await mkdir(join(box.directory, "quarantine"));
    await link(path, quarantined);
    nowMs = (await stat(quarantined)).ctimeMs + 2 * hourMs;
    expect((await runtime.storage.prune()).kept).toContainEqual(
      expect.objectContaining({
        name: quarantined,
        reasons: ["no age was given from which quarantined disks may go"],
      }),
    );
    const young = await runtime.storage.prune({ quarantineOlderThanMs: 3 * hourMs });
    expect(young.removed).toEqual([]);
    expect(young.kept.find(({ name }) => name === key)?.reasons).toContain(
      `${quarantined}, which names it`,
    );
    const lock = await acquireLock(join(runtime.home.locks, `box-${box.id}.lock`));
    const held = await runtime.storage.prune({ quarantineOlderThanMs: hourMs });
    expect(held.removed).toEqual([]);
    await lock.release();
    const dry = await runtime.storage.prune({ quarantineOlderThanMs: hourMs, dryRun: true });
    const old = await runtime.storage.prune({ quarantineOlderThanMs: hourMs });
    expect(old.removed).toEqual(dry.removed);
    expect(old.removed.map(({ kind, name }) => [kind, name])).toEqual([
      ["quarantine", quarantined],
    ]);
    expect(old.kept.find(({ name }) => name === key)?.reasons).toEqual(["disk of box web"]);
    await expect(stat(quarantined)).rejects.toMatchObject({ code: "ENOENT" });
    // A clock that went back makes nothing old.
    await link(path, quarantined);
    nowMs = 0;
    expect((await runtime.storage.prune({ quarantineOlderThanMs: hourMs })).removed).toEqual([]);
  });

  test("keeps every base while a disk of no known box cannot be read, and those that such a disk names", async () => {
    const { runtime, home, db, web } = await twoBoxes();
    await runtime.boxes.remove("db");
    const stray = join(home, "boxes", "0".repeat(32), "disks");
    await mkdir(join(stray, "..", "quarantine"), { recursive: true });
    await mkdir(stray);
    await writeFile(join(stray, "disk.qcow2"), `x ${db.disks.user?.base?.path} x`);
    const named = await runtime.storage.prune();
    expect(named.removed).toEqual([]);
    expect(named.kept.find(({ name }) => name === db.disks.user?.base?.key)?.reasons).toEqual([
      `${join(stray, "disk.qcow2")}, which names it`,
    ]);
    // A link is not followed: what it names cannot be told.
    await rm(join(stray, "disk.qcow2"));
    await link(web.disks.user?.path ?? "", join(stray, "disk.qcow2"));
    const { symlink } = await import("node:fs/promises");
    await symlink("nowhere", join(stray, "guest-rootfs.qcow2"));
    const { kept, removed } = await runtime.storage.prune();
    expect(removed).toEqual([]);
    expect(kept.find(({ name }) => name === db.disks.user?.base?.key)?.reasons).toEqual([
      `perhaps ${join(stray, "guest-rootfs.qcow2")}, which cannot be read`,
    ]);
  });

  test("removes temporary files of dead processes everywhere, and keeps those of live ones", async () => {
    const { runtime, home, web } = await twoBoxes();
    const { pid, startTime } = processIdentity();
    const folders = [home, "bases", "tmp", "images"].map((name) =>
      join(home, name === home ? "" : name),
    );
    folders.push(join(web.directory, "disks"));
    for (const folder of folders) {
      await writeFile(join(folder, `.tmp-${pid}-1-0123456789abcdef`), "dead");
      await writeFile(join(folder, `.tmp-${pid}-${startTime}-0123456789abcdef`), "live");
    }
    const { temporary } = await runtime.storage.usage();
    expect(temporary.items).toHaveLength(10);
    expect(temporary.reclaimableBytes).toBe(temporary.allocatedBytes / 2);
    const { removed, kept } = await runtime.storage.prune();
    expect(removed.map(({ kind }) => kind)).toEqual(Array(5).fill("temporary"));
    expect(kept.filter(({ kind }) => kind === "temporary")).toHaveLength(5);
    for (const folder of folders) {
      const names = (await readdir(folder)).filter((name) => name.startsWith(".tmp-"));
      expect(names).toEqual([`.tmp-${pid}-${startTime}-0123456789abcdef`]);
    }
  });

  test("removes blobs without an image once they are old, and keeps those of names and of boxes", async () => {
    const { runtime, store, image } = await withSampleImage();
    await runtime.boxes.create({ image, name: "web", guestRootfs: { type: "initramfs" } });
    const named = await runtime.storage.prune({ imageGraceMs: 0 });
    expect(named.removed).toEqual([]);
    expect(named.kept.find(({ kind }) => kind === "image")?.reasons).toEqual([
      "its name in the store",
      "box web",
    ]);
    await store.remove(image);
    const boxed = await runtime.storage.prune({ imageGraceMs: 0, dryRun: true });
    const keptBlobs = boxed.kept.filter(({ kind }) => kind === "image");
    expect(keptBlobs.map(({ reasons }) => reasons)).toEqual([["box web"]]);
    await runtime.storage.prune({ imageGraceMs: 0 });
    expect((await store.get(keptBlobs[0]?.name ?? "")).layers.length).toBeGreaterThan(0);
    await runtime.boxes.remove("web");
    const young = await runtime.storage.prune();
    expect(young.removed.filter(({ kind }) => kind === "image")).toEqual([]);
    expect(young.kept.map(({ reasons }) => reasons[0])).toContain(
      "it is attached to an image, or so new that one may be about to name it",
    );
    const blobs = join(store.layout.directory, "blobs", "sha256");
    for (const name of await readdir(blobs)) await utimes(join(blobs, name), 0, 0);
    const old = await runtime.storage.prune();
    expect(old.removed.filter(({ kind }) => kind === "image").length).toBeGreaterThan(3);
    expect(await readdir(blobs)).toEqual([]);
  });

  test("of images stops at a manifest that cannot be read, with nothing gone", async () => {
    const { runtime, store, image } = await withSampleImage();
    await runtime.boxes.create({ image, name: "web", guestRootfs: { type: "initramfs" } });
    await runtime.boxes.remove("web");
    const { root } = await store.get(image);
    const path = store.layout.blobPath(root.digest);
    await rm(path);
    await writeFile(path, "{}".padEnd(root.size));
    await expect(runtime.storage.prune({ imageGraceMs: 0 })).rejects.toMatchObject({
      kind: "corrupt",
    });
    expect(await runtime.bases.list()).toHaveLength(1);
  });

  test("of images stops when the manifest of a box cannot be read, and takes no failure for a manifest that is gone", async () => {
    const { runtime, store, image } = await withSampleImage();
    await runtime.boxes.create({ image, name: "web", guestRootfs: { type: "initramfs" } });
    const { digest, descriptor: manifest, layers } = await store.get(image);
    await store.remove(image);
    const path = store.layout.blobPath(digest);
    const prune = () => runtime.storage.prune({ imageGraceMs: 0 });
    await writeFile(path, "{}".padEnd(manifest.size));
    await expect(prune()).rejects.toMatchObject({ kind: "corrupt" });
    await expect(runtime.storage.usage()).rejects.toMatchObject({ kind: "corrupt" });
    await rm(path);
    await mkdir(path);
    await expect(prune()).rejects.toMatchObject({ code: "IO_FAILED", kind: "io" });
    await expect(runtime.storage.usage()).rejects.toMatchObject({ kind: "io" });
    for (const { descriptor } of layers) expect(await store.layout.exists(descriptor)).toBe(true);
  });

  test("of images tells a box's manifest that is gone from one that cannot be read", async () => {
    const { store, image } = await withSampleImage();
    const { digest } = await store.get(image);
    await store.remove(image);
    const users = new Map([[digest, ["box web"]]]);
    const path = store.layout.blobPath(digest);
    await rm(path);
    expect(await judgeImages(store, users)).toEqual([]);
    await mkdir(path);
    await expect(judgeImages(store, users)).rejects.toMatchObject({ kind: "io" });
  });

  test("stops when it is told to", async () => {
    const { runtime } = await twoBoxes();
    await runtime.boxes.remove("db");
    const signal = AbortSignal.abort();
    await expect(runtime.storage.prune({ signal })).rejects.toMatchObject({ name: "AbortError" });
    expect(await runtime.bases.list()).toHaveLength(3);
  });
});

test("a create that finds its base collected between looking and using it makes it again", async () => {
  const { runtime, home } = await openTestRuntime();
  await runtime.boxes.create({ image: "app", name: "web" });
  await runtime.boxes.remove("web");
  const { bases } = runtime;
  const ensure = bases.ensure.bind(bases);
  let collected = 0;
  bases.ensure = async (...args) => {
    const base = await ensure(...args);
    if (collected === 0) collected += (await runtime.storage.prune()).removed.length;
    return base;
  };
  await runtime.boxes.create({ image: "app", name: "web" });
  expect(collected).toBeGreaterThan(0);
  await using again = await Runtime.open({ home, images: new FakeImages() });
  expect((await again.boxes.prepare("web")).container.disk.outcome).toBe("kept");
});
