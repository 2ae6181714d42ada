import { cp, mkdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { createBox, createTestHome, filesBelow, type MadeBox } from "../support/boxed-home.ts";
import { hasBackingBytes, minimalHeader, withBackingName } from "../support/damaged-overlay.ts";

/** Prepares the box and expects a new, sound overlay with a warning. */
async function expectRecreated({ box, guestDisk, inspect }: MadeBox, damaged: Uint8Array) {
  const run = await box(["prepare", "web"]);
  expect(run.stderr).toMatch(/^warning\[(QCOW2|OVERLAY)_[A-Z_]+\]: .*guest/m);
  expect(run.exitCode).toBe(0);
  const details = await inspect();
  const base = details.disks.guest?.base?.path ?? "";
  expect(hasBackingBytes(await readFile(guestDisk), base)).toBe(true);
  const quarantine = join(details.directory, "quarantine");
  const [kept = ""] = await filesBelow(quarantine);
  expect((await readFile(join(quarantine, kept))).equals(damaged)).toBe(true);
  const again = await box(["prepare", "web"]);
  expect(again).toMatchObject({ exitCode: 0 });
  expect(again.stderr).not.toContain("warning");
}

describe("box prepare, on the guest disk", () => {
  test("keeps a valid overlay: not a byte and no time changes, and its base is named by its canonical path", async () => {
    const { box, guestDisk, inspect } = await createBox();
    const before = await stat(guestDisk, { bigint: true });
    const bytes = await readFile(guestDisk);
    const run = await box(["prepare", "web", "--log-level", "debug"]);
    expect(run.exitCode).toBe(0);
    expect(run.stderr).not.toContain("warning");
    const after = await stat(guestDisk, { bigint: true });
    expect([after.size, after.mtimeNs, after.ino]).toEqual([
      before.size,
      before.mtimeNs,
      before.ino,
    ]);
    expect((await readFile(guestDisk)).equals(bytes)).toBe(true);
    const base = (await inspect()).disks.guest?.base?.path ?? "";
    expect(base.startsWith("/")).toBe(true);
    expect(hasBackingBytes(bytes, base)).toBe(true);
  });

  test("recreates on an all-zero file, with a warning", async () => {
    const made = await createBox();
    const { size } = await stat(made.guestDisk);
    await writeFile(made.guestDisk, new Uint8Array(size));
    await expectRecreated(made, new Uint8Array(size));
  });

  test("recreates on a 10-byte file", async () => {
    const made = await createBox();
    await truncate(made.guestDisk, 10);
    await expectRecreated(made, new Uint8Array(await readFile(made.guestDisk)));
  });

  test("recreates on a backing name of bytes ff fe fd in a minimal header", async () => {
    const made = await createBox();
    const damaged = minimalHeader(Uint8Array.of(0xff, 0xfe, 0xfd));
    await writeFile(made.guestDisk, damaged);
    await expectRecreated(made, damaged);
  });

  test("recreates on a backing name of bytes ff fe fd in an otherwise valid overlay", async () => {
    const made = await createBox();
    const damaged = withBackingName(
      await readFile(made.guestDisk),
      Uint8Array.of(0xff, 0xfe, 0xfd),
    );
    await writeFile(made.guestDisk, damaged);
    await expectRecreated(made, damaged);
  });

  test("refuses a folder in place of the overlay, and does not delete it", async () => {
    const { box, guestDisk } = await createBox();
    await rm(guestDisk);
    await mkdir(join(guestDisk, "inside"), { recursive: true });
    const run = await box(["prepare", "web"]);
    expect(run.exitCode).toBe(6);
    expect(run.stderr).toContain("error[OVERLAY_IO]");
    expect(run.stderr).toContain("refusing to discard");
    expect((await stat(join(guestDisk, "inside"))).isDirectory()).toBe(true);
  });

  test("refuses a missing base, names it, and leaves the overlay", async () => {
    const { box, guestDisk, inspect } = await createBox();
    const bytes = await readFile(guestDisk);
    const base = (await inspect()).disks.guest?.base?.path ?? "";
    await rename(base, `${base}.away`);
    const run = await box(["prepare", "web"]);
    expect(run.exitCode).toBe(10);
    expect(run.stderr).toContain("error[OVERLAY_BACKING_MISSING]");
    expect(run.stderr).toContain(`has missing backing file: ${base}`);
    expect((await readFile(guestDisk)).equals(bytes)).toBe(true);
    await rename(`${base}.away`, base);
    expect((await box(["prepare", "web"])).exitCode).toBe(0);
  });

  test("makes a missing overlay again", async () => {
    const { box, guestDisk, inspect } = await createBox();
    await rm(guestDisk);
    const run = await box(["prepare", "web"]);
    expect(run.exitCode).toBe(0);
    const base = (await inspect()).disks.guest?.base?.path ?? "";
    expect(run.stderr).toContain(
      `\nguest rootfs ${guestDisk} was missing and is made again, empty, on ${base}\n`,
    );
    expect(run.stderr).not.toContain("warning");
    expect(hasBackingBytes(await readFile(guestDisk), base)).toBe(true);
  });

  test("refuses a corrupt overlay whose base is missing, too", async () => {
    const { box, guestDisk, inspect } = await createBox();
    await truncate(guestDisk, 10);
    await rm((await inspect()).disks.guest?.base?.path ?? "");
    const run = await box(["prepare", "web"]);
    expect(run.exitCode).toBe(10);
    expect(run.stderr).toContain("has missing backing file");
    expect((await stat(guestDisk)).size).toBe(10);
  });

  test("keeps its overlay when the other disk is refused", async () => {
    const { box, guestDisk, userDisk } = await createBox();
    const before = await stat(guestDisk, { bigint: true });
    await truncate(userDisk, 10);
    expect((await box(["prepare", "web"])).exitCode).toBe(5);
    expect(await stat(guestDisk, { bigint: true })).toMatchObject({
      ino: before.ino,
      mtimeNs: before.mtimeNs,
    });
  });
});

describe("box create, for the guest disk", () => {
  test("shares one bootstrap between two starts at once", async () => {
    const { box, image, home } = await createTestHome();
    const runs = await Promise.all(
      ["a", "b"].map((name) => box(["create", image, "--name", name, "--format", "json"])),
    );
    expect(runs.map((run) => run.exitCode)).toEqual([0, 0]);
    const bases = runs.map((run) => JSON.parse(run.stdout).box.disks.guest.base.path);
    expect(bases[0]).toBe(bases[1]);
    const disks = (await filesBelow(join(home, "bases"))).filter((name) => name.endsWith(".ext4"));
    expect(disks).toHaveLength(2);
    // A base built twice has one name and is one file: only what the two processes tell gives it away.
    const building = runs
      .flatMap(({ stderr }) => messagesOf(stderr))
      .filter(isBuilding)
      .sort();
    expect(building).toEqual(
      disks.map((name) => `building base ${basename(name, ".ext4")}`).sort(),
    );
  });

  test("tries a failed bootstrap again", async () => {
    const { box, image, folder } = await createTestHome();
    const away = join(folder, "away");
    await rename(join(folder, "layout"), away);
    const guest = `oci:${join(folder, "guest")}:latest`;
    const create = () =>
      box(["create", `oci:${away}:latest`, "--name", "a", "--guest-rootfs", guest]);
    expect((await create()).exitCode).toBe(3);
    await rename(away, join(folder, "layout"));
    await mkdir(dirname(away), { recursive: true });
    await cp(join(folder, "layout"), join(folder, "guest"), { recursive: true });
    const run = await box(["create", image, "--name", "a", "--guest-rootfs", guest]);
    expect(run.exitCode).toBe(0);
  });

  test("splits env entries at the first =, drops those without, keeps order and duplicates", async () => {
    const { box, image } = await createTestHome();
    await box(["create", image, "--name", "web", "--guest-rootfs", image]);
    const { stdout } = await box(["inspect", "web", "--format", "json"]);
    const { guestRootfs, imageConfig } = JSON.parse(stdout);
    expect(guestRootfs.environment).toEqual(imageConfig.environment);
    expect(guestRootfs.environment).toEqual(expectedEnvironment);
    const shown = (await box(["inspect", "web"])).stdout;
    for (const [name, value] of expectedEnvironment) expect(shown).toContain(`${name}=${value}`);
  });

  test("makes no second disk for an initramfs", async () => {
    const { inspect } = await createBox("--guest-rootfs", "none");
    const details = await inspect();
    expect(details.guestRootfs).toEqual({ type: "initramfs" });
    expect(details.disks.guest).toBeUndefined();
    expect(await filesBelow(join(details.directory, "disks"))).toEqual(["disk.qcow2"]);
  });
});

/** The messages of events that are lines of JSON. */
function messagesOf(stderr: string): string[] {
  const lines = stderr.split("\n").filter((line) => line !== "");
  return lines.map((line) => String(JSON.parse(line).message));
}

function isBuilding(message: string): boolean {
  return message.startsWith("building base ");
}

/** What the sample image's config says, without its entry `NOT_AN_ASSIGNMENT`. */
const expectedEnvironment: readonly (readonly [string, string])[] = [
  ["PATH", "/usr/local/bin:/usr/bin:/bin"],
  ["GREETING", "hello"],
  ["EQUATION", "e=mc^2"],
  ["GREETING", "hello again"],
];
