import { createHash } from "node:crypto";
import { chmod, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createBox, createTestHome, filesBelow, type MadeBox } from "../support/boxed-home.ts";
import { runBoxHere } from "../support/run-box.ts";

async function basesOf({ inspect }: MadeBox) {
  const { user, guest } = (await inspect()).disks;
  return { user: user?.base?.path ?? "", guest: guest?.base?.path ?? "" };
}

async function sha256(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}

async function factsOf(path: string) {
  const { ino, mtimeNs, size } = await stat(path, { bigint: true });
  return { ino, mtimeNs, size };
}

/** Runs in the test process, so that coverage counts it. */
const restore = ({ home }: { readonly home: string }, ...more: string[]) =>
  runBoxHere(["--home", home, "rootfs", "restore", ...more]);

describe("box rootfs restore", () => {
  test("makes a lost base again with the same bytes, and prepare, which refused, keeps the overlays", async () => {
    const made = await createBox();
    const { user } = await basesOf(made);
    const digest = await sha256(user);
    const before = [await factsOf(made.userDisk), await factsOf(made.guestDisk)];
    await rm(user);
    const refused = await made.box(["prepare", "web"]);
    expect(refused.exitCode).toBe(10);
    expect(refused.stderr).toContain("error[OVERLAY_BACKING_MISSING]");
    expect(refused.stderr).toContain("box rootfs restore web");
    const run = await made.box(["rootfs", "restore", "web"]);
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toContain(`warning: the base of the user disk is missing: ${user}`);
    expect(run.stdout).toMatch(new RegExp(`^disk +base restored: ${user}$`, "m"));
    expect(run.stdout).toMatch(/^guest disk +base was there: /m);
    expect(await sha256(user)).toBe(digest);
    expect((await made.box(["prepare", "web"])).exitCode).toBe(0);
    expect([await factsOf(made.userDisk), await factsOf(made.guestDisk)]).toEqual(before);
  });

  test("makes a truncated base of the guest disk again, without the image's layout", async () => {
    const made = await createBox();
    const { guest } = await basesOf(made);
    const digest = await sha256(guest);
    await rm(join(made.folder, "layout"), { recursive: true });
    await truncate(guest, 4096);
    const run = await restore(made, "web", "--format", "json");
    expect(run.exitCode).toBe(0);
    expect(JSON.parse(run.stdout).bases).toContainEqual({
      disk: "guest",
      path: guest,
      outcome: "restored",
      found: "other-size",
    });
    expect(await sha256(guest)).toBe(digest);
  });

  test("makes a base again that box rootfs verify finds damaged, and keeps the damaged one", async () => {
    const made = await createBox();
    const { user } = await basesOf(made);
    const bytes = await readFile(user);
    const damaged = Buffer.from(bytes);
    damaged[bytes.length >> 1] = (damaged[bytes.length >> 1] ?? 0) ^ 1;
    await chmod(user, 0o644);
    await writeFile(user, damaged);
    const verify = () => runBoxHere(["--home", made.home, "rootfs", "verify"]);
    const found = await verify();
    expect(found.exitCode).toBe(5);
    expect(found.stdout).toContain("box rootfs restore NAME");
    const run = await restore(made, "web", "--format", "json");
    expect(run.exitCode).toBe(0);
    const { bases } = JSON.parse(run.stdout);
    expect(bases).toContainEqual({
      ...{ disk: "user", path: user },
      ...{ outcome: "restored", found: "other-content" },
    });
    expect(await readFile(user)).toEqual(bytes);
    const kept = (await filesBelow(made.home)).filter((name) => name.includes("quarantine/"));
    expect(kept).toHaveLength(1);
    expect((await verify()).exitCode).toBe(0);
  });

  test.each([
    ["cut short", (path: string) => truncate(path, 4096)],
    ["gone", (path: string) => rm(path)],
  ])("makes a base again that box rootfs verify finds %s", async (_name, damage) => {
    const made = await createBox();
    const { user } = await basesOf(made);
    await damage(user);
    const verify = () => runBoxHere(["--home", made.home, "rootfs", "verify"]);
    const found = await verify();
    expect(found.exitCode).toBe(5);
    expect(found.stdout).toContain(
      `${user}: damaged\n  ROOTFS_BASE_DIGEST_MISMATCH: no file of its`,
    );
    expect((await restore(made, "web")).exitCode).toBe(0);
    expect((await verify()).exitCode).toBe(0);
  });

  test("changes nothing when nothing is lost", async () => {
    const made = await createBox();
    const { user, guest } = await basesOf(made);
    const paths = [user, guest, made.userDisk, made.guestDisk];
    const before = await Promise.all(paths.map(factsOf));
    const run = await restore(made, "web");
    expect(run.exitCode).toBe(0);
    expect(run.stderr).not.toContain("warning");
    expect(run.stdout.match(/base was there/g)).toHaveLength(2);
    expect(await Promise.all(paths.map(factsOf))).toEqual(before);
    expect((await restore(made, "web", "-q")).stdout).toBe("web\n");
  });

  test("says what is not there when the image and its blobs are gone, and changes nothing", async () => {
    const made = await createBox();
    const { user } = await basesOf(made);
    const layout = join(made.folder, "layout");
    await rm(user);
    await rm(layout, { recursive: true });
    await rm(join(made.home, "images"), { recursive: true });
    const before = await factsOf(made.userDisk);
    const bases = await readdir(join(made.home, "bases"));
    const run = await restore(made, "web");
    expect(run.exitCode).toBe(3);
    expect(run.stderr).toContain("error[OCI_LAYOUT_MISSING]");
    expect(run.stderr).toContain(layout);
    expect(await readdir(join(made.home, "bases"))).toEqual(bases);
    expect(await factsOf(made.userDisk)).toEqual(before);
  });

  test("refuses a name that no box has with exit code 3, and makes nothing", async () => {
    const { box, home } = await createTestHome();
    const run = await box(["rootfs", "restore", "nobody"]);
    expect(run.exitCode).toBe(3);
    expect(run.stderr).toContain("error[BOX_NOT_FOUND]");
    expect(await filesBelow(join(home, "bases"))).toEqual([]);
  });

  test("has the names of boxes completed", async () => {
    const { home } = await createBox();
    const run = await runBoxHere(["--home", home, "complete-words", "--", "rootfs", "restore", ""]);
    expect(run.stdout).toMatch(/^web\t/);
  });
});
