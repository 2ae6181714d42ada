import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createTestHome, type TestHome } from "../support/boxed-home.ts";
import { runBoxHere } from "../support/run-box.ts";

const here = async (home: TestHome, ...argv: string[]) =>
  runBoxHere(["--home", home.home, ...argv], { now: () => Date.now() });

/** Runs a command that must work. @returns What it printed. */
async function ok(home: TestHome, ...argv: string[]): Promise<string> {
  const run = await here(home, ...argv);
  expect(run.stderr).not.toContain("error[");
  expect(run.exitCode).toBe(0);
  return run.stdout;
}

async function withBox(): Promise<TestHome> {
  const home = await createTestHome();
  await ok(
    home,
    "create",
    home.image,
    "--name",
    "web",
    "--guest-rootfs",
    "none",
    "--label",
    "tier=front",
    "--label",
    "team",
    "--rm",
  );
  return home;
}

describe("labels", () => {
  test("are shown by ls and inspect, and boxes are found by them", async () => {
    const home = await withBox();
    expect(await ok(home, "ls")).toMatch(/^web +created .* tier=front, team$/m);
    expect(await ok(home, "inspect", "web")).toMatch(/^labels +tier=front, team$/m);
    expect(await ok(home, "inspect", "web")).toMatch(/^auto-remove +when it has stopped$/m);
    expect(
      await ok(home, "ls", "-q", "--filter", "label=tier=front", "--filter", "label=team"),
    ).toBe("web\n");
    expect(await ok(home, "ls", "-q", "--filter", "label=tier=back")).toBe("");
    const bad = await here(home, "ls", "--filter", "name=web");
    expect(bad.exitCode).toBe(2);
    expect(bad.stderr).toContain("CLI_INVALID_ARGUMENT");
    const label = await here(home, "create", home.image, "--label", "=x");
    expect(label.stderr).toContain("BOX_LABEL_INVALID");
  });
});

describe("a restart policy", () => {
  test.each([
    ["always", "always", { type: "always" }],
    ["on-failure", "on-failure", { type: "on-failure" }],
    ["on-failure:3", "on-failure, at most 3 times in a row", { type: "on-failure", maxRetries: 3 }],
  ])("%s is recorded and shown", async (policy, shown, recorded) => {
    const home = await createTestHome();
    await ok(home, "create", home.image, "--name", "web", "--restart", policy);
    expect((await ok(home, "inspect", "web")).replaceAll(/ +/g, " ")).toContain(
      `\nrestart ${shown}\n`,
    );
    const { run } = JSON.parse(await ok(home, "inspect", "web", "--format", "json"));
    expect(run).toEqual({ memoryMiB: 256, cpus: 1, restart: recorded });
  });

  test.each(["never", "on-failure:0", "always:3", "on-failure:-1", "ON-FAILURE", ""])(
    "%j is refused before anything is made",
    async (policy) => {
      const home = await createTestHome();
      const bad = await here(home, "create", home.image, "--name", "web", "--restart", policy);
      expect(bad.exitCode).toBe(2);
      expect(await ok(home, "ls", "-q")).toBe("");
    },
  );
});

test("a network is recorded, shown and copied with its box, and only where it was asked for", async () => {
  const home = await createTestHome();
  await ok(home, "create", home.image, "--name", "web", "--net");
  await ok(home, "create", home.image, "--name", "plain");
  await ok(home, "clone", "web", "copy");
  const networkOf = async (name: string) =>
    JSON.parse(await ok(home, "inspect", name, "--format", "json")).run.network;
  expect(await networkOf("web")).toBe("user");
  expect(await networkOf("copy")).toBe("user");
  expect(await networkOf("plain")).toBeUndefined();
  expect(await ok(home, "inspect", "web")).toMatch(/^network +user: .*this host's loopback too$/m);
  expect(await ok(home, "inspect", "plain")).not.toMatch(/^network/m);
});

describe("box rename, clone and resize", () => {
  test("change what they say", async () => {
    const home = await withBox();
    expect(await ok(home, "rename", "web", "www")).toBe("www\n");
    expect(await ok(home, "rename", "-q", "www", "web")).toBe("web\n");
    expect(await ok(home, "clone", "web", "copy")).toMatch(/^name +copy$/m);
    expect(await ok(home, "clone", "-q", "web")).toMatch(/^box-[0-9a-f]{8}\n$/);
    expect(await ok(home, "resize", "web", "20GiB")).toMatch(
      /^disk size +20 GiB \(21474836480 bytes\)$/m,
    );
    expect(await ok(home, "resize", "-q", "web", "20GiB")).toBe("web\n");
    const shrunk = await here(home, "resize", "web", "1MiB");
    expect(shrunk.exitCode).toBe(2);
    expect(shrunk.stderr).toContain("BOX_DISK_SHRINKS");
    const taken = await here(home, "clone", "web", "copy");
    expect(taken.exitCode).toBe(4);
  });
});

describe("box snapshot", () => {
  test("takes, lists, restores and removes", async () => {
    const home = await withBox();
    expect(await ok(home, "snapshot", "create", "web", "s1")).toBe("s1\n");
    expect(await ok(home, "snapshot", "ls", "web")).toMatch(/^s1 +20.*Z +.*B$/m);
    expect(await ok(home, "snapshot", "ls", "-q", "web")).toBe("s1\n");
    expect(await ok(home, "snapshot", "restore", "-q", "web", "s1")).toBe("s1\n");
    expect(await ok(home, "snapshot", "rm", "web", "s1")).toBe("s1\n");
    const gone = await here(home, "snapshot", "restore", "web", "s1");
    expect(gone.exitCode).toBe(3);
    expect(gone.stderr).toContain("BOX_SNAPSHOT_NOT_FOUND");
  });
});

describe("box pack and unpack", () => {
  test("carry a box to another home", async () => {
    const home = await withBox();
    const archive = join(home.folder, "web.box.tar");
    expect(await ok(home, "pack", "web", "-o", archive)).toMatch(`${archive} (`);
    const other = await createTestHome();
    const flags = ["--name", "copy", "-p", "8080:80", "--net"];
    expect(await ok(other, "unpack", archive, ...flags)).toMatch(/^name +copy$/m);
    const { run } = JSON.parse(await ok(other, "inspect", "copy", "--format", "json"));
    expect(run).toMatchObject({ network: "user", forwards: [{ hostPort: 8080, guestPort: 80 }] });
    expect(await ok(other, "unpack", "-q", archive)).toBe("web\n");
    const again = await here(home, "pack", "web", "-o", archive);
    expect(again.exitCode).toBe(4);
    const bad = await here(home, "unpack", join(home.folder, "layout", "index.json"));
    expect(bad.exitCode).toBe(5);
    expect(bad.stderr).toContain("BOX_ARCHIVE_CORRUPT");
    const small = join(home.folder, "small.box.tar");
    expect(await ok(home, "pack", "-q", "web", "--without-bases", "-o", small)).toBe(`${small}\n`);
  });
});
