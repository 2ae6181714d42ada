import { readFile, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createBox, filesBelow } from "../support/boxed-home.ts";
import { hasBackingBytes } from "../support/damaged-overlay.ts";

describe("box prepare, on the box's own disk", () => {
  test("refuses a corrupt disk, names what goes on, and --recreate-disk goes on", async () => {
    const { box, userDisk, inspect } = await createBox();
    await truncate(userDisk, 10);
    const refused = await box(["prepare", "web"]);
    expect(refused.exitCode).toBe(5);
    expect(refused.stderr).toContain("error[OVERLAY_CORRUPT]");
    expect(refused.stderr).toContain("--recreate-disk");
    expect((await stat(userDisk)).size).toBe(10);
    const run = await box(["prepare", "web", "--recreate-disk"]);
    expect(run.exitCode).toBe(0);
    const details = await inspect();
    expect(hasBackingBytes(await readFile(userDisk), details.disks.user?.base?.path ?? "")).toBe(
      true,
    );
    expect(await filesBelow(join(details.directory, "quarantine"))).toHaveLength(1);
  });

  test("refuses an absent disk, and --recreate-disk goes on", async () => {
    const { box, userDisk } = await createBox();
    await rm(userDisk);
    const refused = await box(["prepare", "web"]);
    expect(refused.exitCode).toBe(3);
    expect(refused.stderr).toContain("error[OVERLAY_MISSING]");
    await expect(stat(userDisk)).rejects.toThrow();
    expect((await box(["prepare", "web", "--recreate-disk"])).exitCode).toBe(0);
    expect((await stat(userDisk)).isFile()).toBe(true);
  });

  test("keeps a sound disk even with --recreate-disk", async () => {
    const { box, userDisk } = await createBox();
    const before = await stat(userDisk, { bigint: true });
    expect((await box(["prepare", "web", "--recreate-disk"])).exitCode).toBe(0);
    const after = await stat(userDisk, { bigint: true });
    expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs]);
  });
});
