import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { openFile, temporaryPathFor } from "@box/io/node";
import { allowList } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { type BoxDetails, Runtime } from "@box/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { checksumEntryBytes } from "../src/archive/archive-plan.ts";
import { factsOf } from "./disk-facts.ts";
import { FakeImages } from "./fake-images.ts";
import { type LooseManifest, rewritten, withUserDisk } from "./rewritten-archive.ts";
import { openTestRuntime, temporaryFolder } from "./test-home.ts";

const data = new TextEncoder().encode("the user's data");
const run = {
  memoryMiB: 512,
  cpus: 2,
  command: ["/hello", "you"],
  environment: [
    ["WHO", "you"],
    ["WHO", ""],
  ] as const,
  workingDirectory: "/tmp",
  user: "1000:1000",
  terminal: true,
  keepsInput: true,
  restart: { type: "on-failure" as const, maxRetries: 3 },
};

const corrupt = "BOX_ARCHIVE_CORRUPT";
const badSetting = "BOX_SETTING_INVALID";

/** A box with data and a snapshot, exported. */
async function exported(options: { readonly withBases?: boolean } = {}) {
  const { runtime, home } = await openTestRuntime();
  const { box } = await runtime.boxes.create({
    image: "app",
    name: "web",
    labels: { a: "b" },
    run: { ...run, forwards: [{ hostPort: 0, guestPort: 80 }], network: "user" },
  });
  await using image = await openDisk(box, "rw");
  await image.write(5, data);
  await image.flush();
  await image.close();
  await runtime.boxes.createSnapshot("web", "s1");
  const path = join(await temporaryFolder(), "web.box");
  const made = await runtime.boxes.export("web", path, options);
  return { runtime, home, box, path, made };
}

/** A home of another machine: nothing of the first is there. */
async function otherHome() {
  const images = new FakeImages();
  const home = join(await temporaryFolder(), "other");
  const runtime = await Runtime.open({ home, images });
  onTestFinished(() => runtime.close());
  return { runtime, images, home };
}

async function openDisk(box: BoxDetails, mode: "r" | "rw") {
  const base = box.disks.user?.base?.path ?? "";
  const open = async () => ({ source: await openFile(base), format: "raw" as const });
  const backing = allowList([{ name: base, open }]);
  return openImageFile(box.disks.user?.path ?? "", { mode, backing });
}

async function dataOf(box: BoxDetails): Promise<Uint8Array> {
  await using image = await openDisk(box, "r");
  return new Uint8Array(await image.read(5, data.byteLength));
}

describe("export", () => {
  test("writes a tar file that tar reads, leaves the box alone, and refuses a file that exists", async () => {
    const { runtime, box, path, made } = await exported();
    expect(made.archive).toEqual({ path, sizeBytes: (await stat(path)).size });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const listed = execFileSync("tar", ["-tf", path], { encoding: "utf8" }).trim().split("\n");
    expect(listed.slice(0, 3)).toEqual(["box.json", "disks/guest.qcow2", "disks/user.qcow2"]);
    expect(listed.filter((name) => /^bases\/[0-9a-f]{64}\.img$/.test(name))).toHaveLength(2);
    expect(listed.at(-1)).toBe("sha256");
    const bytes = await readFile(path);
    const digest = createHash("sha256")
      .update(bytes.subarray(0, -checksumEntryBytes))
      .digest("hex");
    const sum = execFileSync("tar", ["-xOf", path, "sha256"], { encoding: "utf8" });
    expect(sum).toBe(`${digest}\n`);
    const disk = execFileSync("tar", ["-xOf", path, "disks/user.qcow2"]);
    expect(disk.equals(await readFile(box.disks.user?.path ?? ""))).toBe(true);
    expect(made.box.history.map(({ type }) => type)).toContain("change");
    const before = await factsOf(path);
    await expect(runtime.boxes.export("web", path)).rejects.toMatchObject({ code: "IO_EXISTS" });
    expect(await factsOf(path)).toEqual(before);
    expect((await runtime.boxes.prepare("web")).container.disk.outcome).toBe("kept");
  });

  test("refuses a name that cannot be had before it reads any disk", async () => {
    const { runtime, box, path } = await exported();
    await truncate(box.disks.user?.path ?? "", 100);
    await expect(runtime.boxes.export("web", path)).rejects.toMatchObject({ code: "IO_EXISTS" });
    await expect(runtime.boxes.export("web", join(path, "x"))).rejects.toMatchObject({
      code: "IO_FAILED",
      details: { errno: "ENOTDIR" },
    });
    await expect(runtime.boxes.export("web", `${path}.d/x`)).rejects.toMatchObject({
      code: "IO_NOT_FOUND",
    });
  });

  test("takes away what a killed one has left in the folder, and nothing of those that live", async () => {
    const { runtime, path } = await exported();
    const folder = join(path, "..");
    const own = basename(temporaryPathFor(path));
    const dead = own.replace(/^\.tmp-\d+-\d+/, ".tmp-1-1");
    expect(dead).not.toBe(own);
    await writeFile(join(folder, own), "");
    await writeFile(join(folder, dead), "");
    await runtime.boxes.export("web", join(folder, "again.box"));
    expect((await readdir(folder)).sort()).toEqual([own, "again.box", "web.box"].sort());
  });

  test("refuses a damaged base and a damaged disk, and leaves no file", async () => {
    const { runtime, box, path } = await exported();
    await rm(path);
    const base = box.disks.user?.base?.path ?? "";
    const content = await readFile(base);
    await chmod(base, 0o600);
    await writeFile(base, Buffer.alloc(content.byteLength, 1));
    await expect(runtime.boxes.export("web", path)).rejects.toMatchObject({
      code: "BOX_EXPORT_DAMAGED",
      kind: "corrupt",
    });
    await writeFile(base, content);
    await truncate(box.disks.user?.path ?? "", 100);
    await expect(runtime.boxes.export("web", path)).rejects.toMatchObject({ kind: "corrupt" });
    expect(await readdir(join(path, ".."))).toEqual([]);
  });
});

describe("import", () => {
  test("into another home gives the same box without any image", async () => {
    const { box, path } = await exported();
    const { runtime, images, home } = await otherHome();
    images.isOffline = true;
    const { box: found } = await runtime.boxes.import(path);
    expect(found).toMatchObject({
      name: "web",
      state: "created",
      labels: { a: "b" },
      run,
      image: box.image,
      imageConfig: box.imageConfig,
      guestRootfs: box.guestRootfs,
    });
    expect(found.disks.user?.base?.path).toMatch(new RegExp(`^${home}/bases/[0-9a-f]{64}\\.ext4$`));
    expect(await dataOf(found)).toEqual(data);
    expect((await runtime.boxes.listSnapshots("web")).map(({ name }) => name)).toEqual(["s1"]);
    const { container, guest } = await runtime.boxes.prepare("web");
    expect(container.disk.outcome).toBe("kept");
    expect(guest).toMatchObject({ disk: { outcome: "kept" } });
    expect((await runtime.storage.prune()).removed).toEqual([]);
    expect(await runtime.bases.verify(found.disks.user?.base?.key ?? "")).toBe(true);
    const own = { forwards: [{ hostPort: 8080, guestPort: 80 }], network: "user" } as const;
    const again = await runtime.boxes.import(path, { name: "again", run: own });
    expect(again.box.run).toEqual({ ...run, ...own });
    expect(again.box.disks.user?.base).toEqual(found.disks.user?.base);
    await expect(runtime.boxes.import(path)).rejects.toMatchObject({ code: "BOX_NAME_TAKEN" });
    await runtime.boxes.remove("web");
    await runtime.boxes.remove("again");
    expect((await runtime.storage.prune()).removed).toHaveLength(2);
  });

  test("into a home that has the bases uses those", async () => {
    const { runtime, box, path } = await exported();
    const { box: copy } = await runtime.boxes.import(path, { name: "copy" });
    expect(copy.disks.user?.base).toEqual(box.disks.user?.base);
    expect(copy.disks.guest?.base).toEqual(box.disks.guest?.base);
    expect(await runtime.bases.list()).toHaveLength(2);
  });

  test("without bases makes them from their images, to the same content or not at all", async () => {
    const { box, path, made } = await exported({ withBases: false });
    expect(made.archive.sizeBytes).toBeLessThan(2 * 1024 * 1024);
    const { runtime, images, home } = await otherHome();
    images.isOffline = true;
    await expect(runtime.boxes.import(path)).rejects.toMatchObject({ kind: "network" });
    expect(await runtime.boxes.list()).toEqual([]);
    expect(await readdir(join(home, "boxes"))).toEqual([]);
    images.isOffline = false;
    const { box: found } = await runtime.boxes.import(path);
    expect(found.disks.user?.base).toMatchObject({
      key: box.disks.user?.base?.key,
      digest: box.disks.user?.base?.digest,
    });
    expect(await dataOf(found)).toEqual(data);
  });

  test("refuses every flipped byte, and makes nothing", async () => {
    const { path } = await exported();
    const { runtime, home } = await otherHome();
    const bytes = await readFile(path);
    const end = bytes.byteLength - 1;
    const random = Array.from({ length: 40 }, (_, index) => Math.floor((end / 40) * index) + 7);
    const places = [0, 1, 99, 124, 135, 148, 156, 512, 600, ...random];
    const checksum = Array.from({ length: 33 }, (_, index) => end - index * 63);
    for (const place of [...places, ...checksum]) {
      const damaged = Buffer.from(bytes);
      damaged[place] = (damaged[place] ?? 0) ^ 1;
      await writeFile(`${path}.damaged`, damaged);
      await expect(runtime.boxes.import(`${path}.damaged`)).rejects.toMatchObject({
        code: "BOX_ARCHIVE_CORRUPT",
        kind: "corrupt",
      });
    }
    for (const size of [0, 100, 2048, 4096, end]) {
      await writeFile(`${path}.damaged`, bytes.subarray(0, size));
      await expect(runtime.boxes.import(`${path}.damaged`)).rejects.toMatchObject({
        code: "BOX_ARCHIVE_CORRUPT",
      });
    }
    await writeFile(`${path}.damaged`, Buffer.concat([bytes, Buffer.alloc(512)]));
    await expect(runtime.boxes.import(`${path}.damaged`)).rejects.toMatchObject({
      code: "BOX_ARCHIVE_CORRUPT",
    });
    expect(await readdir(join(home, "bases"))).toEqual([]);
    expect(await runtime.operations.list()).toEqual([]);
  });

  test.each<readonly [string, (manifest: LooseManifest) => void, string]>([
    ["a newer version", (m) => (m.formatVersion = 2), "BOX_ARCHIVE_TOO_NEW"],
    ["an unknown field", (m) => (m.more = 2), corrupt],
    ["a name that is none", (m) => (m.box.name = "../x"), "BOX_NAME_INVALID"],
    ["labels that are none", (m) => (m.box.labels = { "": "" }), "BOX_LABEL_INVALID"],
    ["a reference for a terminal", (m) => (m.box.image.reference = "a\u001b[2J"), corrupt],
    ["more memory than any has", (m) => (m.box.run.memoryMiB = 2 ** 40), badSetting],
    ["a command that is none", (m) => (m.box.run.command = [""]), badSetting],
    ["a variable that is none", (m) => (m.box.run.environment = [["A=", ""]]), badSetting],
    ["a folder that is none", (m) => (m.box.run.workingDirectory = "x"), badSetting],
    ["a user that is none", (m) => (m.box.run.user = "a\0"), badSetting],
    ["a terminal that is none", (m) => (m.box.run.terminal = "yes"), corrupt],
    ["ports of the host", (m) => (m.box.run.forwards = []), corrupt],
    ["a policy that is none", (m) => (m.box.run.restart = { type: "sometimes" }), corrupt],
    ["no bases", (m) => (m.bases = []), corrupt],
    ["a guest disk of an initramfs", (m) => (m.box.guestRootfs = { type: "initramfs" }), corrupt],
    ["another digest of a disk", (m) => (m.disks[0].digest = `sha256:${"0".repeat(64)}`), corrupt],
    ["another size of a disk", (m) => (m.disks[0].sizeBytes += 1), corrupt],
    ["a size beyond numbers", (m) => (m.disks[0].virtualSizeBytes = 2 ** 53), corrupt],
    ["one disk twice", (m) => (m.disks[0].role = m.disks[1].role), corrupt],
  ])("refuses %s although the checksum is right", async (_, change, code) => {
    const { path } = await exported();
    const { runtime, home } = await otherHome();
    await writeFile(path, rewritten(await readFile(path), change));
    await expect(runtime.boxes.import(path)).rejects.toMatchObject({ code });
    expect(await runtime.boxes.list()).toEqual([]);
    expect(await readdir(join(home, "boxes"))).toEqual([]);
    expect((await readdir(join(home, "locks"))).filter((name) => name.startsWith("box-"))).toEqual(
      [],
    );
  });

  test.each<readonly [string, (disk: Buffer) => unknown, object]>([
    ["no qcow2 image", (disk) => disk.fill(0, 0, 4), { code: corrupt }],
    [
      "of no virtual size that exists",
      (disk) => disk.writeUInt32BE(2 ** 31, 24),
      { code: corrupt },
    ],
    [
      "with a table beyond its end",
      (disk) => disk.writeUInt32BE(0xff_ff_ff, 36),
      { code: corrupt },
    ],
    ["encrypted", (disk) => disk.writeUInt32BE(2, 32), { kind: "unsupported" }],
    ["with its data elsewhere", (disk) => disk.writeUInt8(4, 79), { code: "OVERLAY_CORRUPT" }],
  ])("refuses a disk that is %s although all checksums are right", async (_, change, refusal) => {
    const { path } = await exported();
    const { runtime, home } = await otherHome();
    const damage = (disk: Buffer) => {
      change(disk);
      return disk;
    };
    await writeFile(path, withUserDisk(await readFile(path), damage));
    await expect(runtime.boxes.import(path)).rejects.toMatchObject(refusal);
    expect(await runtime.boxes.list()).toEqual([]);
    expect(await readdir(join(home, "boxes"))).toEqual([]);
  });

  test("never lets a disk read a file of the host: neither with a base nor without one", async () => {
    const { path } = await exported();
    const { runtime, home } = await otherHome();
    const archive = await readFile(path);
    const naming = (disk: Buffer) => {
      const [at, length] = [Number(disk.readBigUInt64BE(8)), disk.readUInt32BE(16)];
      disk.fill(0, at, at + length).write("/etc/passwd", at);
      disk.writeUInt32BE("/etc/passwd".length, 16);
      return disk;
    };
    const ownDisk = (manifest: LooseManifest) => {
      const [user] = manifest.disks.filter(({ role }: { role: string }) => role === "user");
      manifest.bases = manifest.bases.filter(
        ({ digest }: { digest: string }) => digest !== user.base,
      );
      delete user.base;
    };
    await writeFile(path, withUserDisk(archive, naming, ownDisk));
    await expect(runtime.boxes.import(path)).rejects.toMatchObject({
      code: "OVERLAY_BACKING_MISMATCH",
    });
    expect(await readdir(join(home, "boxes"))).toEqual([]);
    await writeFile(path, withUserDisk(archive, naming));
    const { box } = await runtime.boxes.import(path);
    const bytes = await readFile(box.disks.user?.path ?? "");
    expect(bytes.includes("/etc/passwd")).toBe(false);
    expect(bytes.includes(box.disks.user?.base?.path ?? "none")).toBe(true);
  });

  test("takes a rewritten archive that is right, and never lets a base pass for what it was not built from", async () => {
    const { box, path } = await exported();
    const { runtime } = await otherHome();
    await writeFile(
      path,
      rewritten(await readFile(path), (manifest) => {
        for (const base of manifest.bases) base.key = box.disks.user?.base?.key ?? "";
      }),
    );
    const { box: found } = await runtime.boxes.import(path);
    const keys = [found.disks.user?.base?.key, found.disks.guest?.base?.key];
    expect(keys).not.toContain(box.disks.user?.base?.key);
    expect(await dataOf(found)).toEqual(data);
  });

  test("of a file that is not there, and of none, is told as such", async () => {
    const { runtime } = await otherHome();
    await expect(runtime.boxes.import("/nowhere/x")).rejects.toMatchObject({ kind: "not-found" });
    const path = join(await temporaryFolder(), "x");
    await writeFile(path, Buffer.alloc(10_000));
    await expect(runtime.boxes.import(path)).rejects.toMatchObject({ code: "BOX_ARCHIVE_CORRUPT" });
  });
});
