import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { serveRegistry } from "@box/oras/registry-server";
import { pushSampleImage } from "@box/sample-image";
import { describe, expect, test } from "vitest";
import { output as inspectOutput } from "../../src/commands/inspect/schemas.ts";
import { output as lsOutput } from "../../src/commands/ls/schemas.ts";
import { createTestHome, filesBelow } from "../support/boxed-home.ts";
import { runBoxHere } from "../support/run-box.ts";

describe("the life of a box, from a layout", () => {
  test("create, ls, inspect, prepare and rm, each with the form for people, for programs and for scripts", async () => {
    const { home, image } = await createTestHome();
    const box = (...argv: string[]) => runBoxHere(["--home", home, ...argv]);
    expect(await box("create", image, "--name", "web", "-q")).toEqual({
      exitCode: 0,
      stdout: "web\n",
      stderr: "",
    });
    expect((await box("ls")).stdout).toMatch(/^NAME +STATE +IMAGE +CREATED\nweb +created +oci:/);
    expect((await box("ls", "-q")).stdout).toBe("web\n");
    const list = JSON.parse((await box("ls", "--format", "json")).stdout);
    expect(lsOutput.parse(list)).toEqual(list);
    const details = JSON.parse((await box("inspect", "web", "--format", "json")).stdout);
    expect(inspectOutput.parse(details)).toEqual(details);
    expect((await box("inspect", "web", "-q")).stdout).toBe(`${details.id}\n`);
    const shown = (await box("inspect", "web")).stdout;
    expect(shown).toContain(details.disks.user.path);
    expect(shown).toContain(details.disks.guest.base.path);
    const prepared = await box("prepare", "web", "--progress", "plain");
    expect(prepared.stderr).toContain("keeping");
    expect(prepared.stdout).toContain("name");
    const history = (await box("inspect", "web")).stdout.split("\nTIME ")[1];
    expect(history).toMatch(
      /overlay\.created +created disk [\s\S]*overlay\.kept +keeping the existing/,
    );
    expect((await box("complete-words", "--", "rm", "")).stdout).toMatch(/^web\tcreated, oci:/);
    const removed = await box("rm", "web", "nope");
    expect(removed).toMatchObject({ exitCode: 3, stdout: "web\n" });
    expect(removed.stderr).toContain("error[BOX_NOT_FOUND]");
    expect((await box("ls", "-q")).stdout).toBe("");
    expect(await filesBelow(join(home, "boxes"))).toEqual([]);
  });

  test("the stream of events is NDJSON on stderr, counted without gaps", async () => {
    const { home, image } = await createTestHome();
    const run = await runBoxHere([
      "create",
      image,
      "--name",
      "web",
      "--home",
      home,
      "--progress",
      "json",
    ]);
    const events = run.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
    expect(new Set(events.map((event) => event.task))).toEqual(
      new Set(["filesystem_setup", "container_rootfs_prep", "guest_rootfs_init"]),
    );
    expect(events.filter((event) => event.type === "overlay").map((event) => event.name)).toEqual([
      "overlay.created",
      "overlay.created",
    ]);
  });

  test("a name is made up, sizes and the guest are chosen by flags", async () => {
    const { home, image } = await createTestHome();
    const argv = [
      "create",
      image,
      "--disk-size",
      "64MiB",
      "--guest-rootfs",
      image,
      "--pull",
      "never",
    ];
    const refused = await runBoxHere(["--home", home, ...argv]);
    expect(refused.exitCode).toBe(3);
    const run = await runBoxHere([...argv.slice(0, -2), "--home", home, "--format", "json"]);
    const { box } = JSON.parse(run.stdout);
    expect(box.name).toMatch(/^[a-z0-9]/);
    expect(box.disks.user.virtualSizeBytes).toBe(64 * 2 ** 20);
    expect(box.guestRootfs.reference).toBe(image);
  });
});

describe("images", () => {
  test("are pulled from a registry on loopback and listed", async () => {
    const { home } = await createTestHome();
    await using registry = await serveRegistry();
    const { index } = await pushSampleImage(registry.origin, "sample/hello", "latest");
    const reference = `${registry.host}/sample/hello:latest`;
    const box = (...argv: string[]) => runBoxHere(["--home", home, ...argv]);
    const pulled = JSON.parse((await box("pull", reference, "--format", "json")).stdout);
    expect(pulled).toMatchObject([
      { reference, layers: 4, platform: expect.stringMatching(/^linux\//) },
    ]);
    expect((await box("pull", reference, "-q")).stdout).toBe(`${pulled[0].digest}\n`);
    expect((await box("pull", reference)).stdout).toContain("PLATFORM");
    const images = JSON.parse((await box("images", "--format", "json")).stdout);
    expect(images).toMatchObject([{ reference, digest: index.digest }]);
    expect((await box("images")).stdout).toContain(reference);
    expect((await box("images", "-q")).stdout).toBe(`${index.digest}\n`);
    expect((await box("complete-words", "--", "create", "")).stdout).toContain(reference);
    expect((await box("create", reference, "--name", "web", "--pull", "never", "-q")).stdout).toBe(
      "web\n",
    );
  });
});

describe("box rootfs build", () => {
  test("writes the same ext4 for the same image, and refuses without -o", async () => {
    const { home, image, folder } = await createTestHome();
    const box = (...argv: string[]) => runBoxHere(["--home", home, ...argv], { cwd: folder });
    const first = JSON.parse(
      (await box("rootfs", "build", image, "-o", "a.ext4", "--format", "json")).stdout,
    );
    expect(first).toMatchObject({ file: join(folder, "a.ext4"), diskFormat: "ext4" });
    expect((await box("rootfs", "build", image, "-o", "b.ext4")).stdout).toContain(first.digest);
    const [a, b] = await Promise.all(
      ["a.ext4", "b.ext4"].map((name) => readFile(join(folder, name))),
    );
    expect(a?.equals(b ?? new Uint8Array())).toBe(true);
    expect((await stat(join(folder, "a.ext4"))).size).toBe(first.sizeBytes);
    const refused = await box("rootfs", "build", image);
    expect(refused).toMatchObject({ exitCode: 2 });
    expect(refused.stderr).toContain("--output: must be given");
    const sized = await box("rootfs", "build", image, "-o", "c.ext4", "--size", "64MiB", "-q");
    expect(sized.stdout).toBe(`${join(folder, "c.ext4")}\n`);
    expect((await stat(join(folder, "c.ext4"))).size).toBe(64 * 2 ** 20);
  });
});
