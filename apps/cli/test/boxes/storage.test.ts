import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PruneReport, StorageUsage } from "@box/runtime";
import { describe, expect, test } from "vitest";
import { output as dfOutput } from "../../src/commands/df/schemas.ts";
import { output as pruneOutput } from "../../src/commands/prune/schemas.ts";
import { createTestHome, type TestHome } from "../support/boxed-home.ts";
import { runBoxHere } from "../support/run-box.ts";

async function withRemovedBox(): Promise<TestHome & { readonly directory: string }> {
  const home = await createTestHome();
  const create = ["create", home.image, "--guest-rootfs", "none", "--format", "json", "--name"];
  const made = await home.box([...create, "web"]);
  expect(made.exitCode).toBe(0);
  const { directory } = (JSON.parse(made.stdout) as { box: { directory: string } }).box;
  return { ...home, directory };
}

const here = async (home: TestHome, ...argv: string[]) => {
  const run = await runBoxHere(["--home", home.home, ...argv], { now: () => Date.now() });
  expect(run.stderr).not.toContain("error[");
  expect(run.exitCode).toBe(0);
  return run.stdout;
};

describe("box df", () => {
  test("of a home that does not exist is nothing, and makes none", async () => {
    const home = await createTestHome();
    expect(await here(home, "df")).toContain("RECLAIMABLE");
    expect(existsSync(home.home)).toBe(false);
    expect(JSON.parse(await here(home, "prune", "--format", "json"))).toEqual({
      dryRun: false,
      removed: [],
      kept: [],
      freedBytes: 0,
    });
    expect(existsSync(home.home)).toBe(false);
  });

  test("shows the sums, and with -v every item with its users", async () => {
    const home = await withRemovedBox();
    const usage = JSON.parse(await here(home, "df", "--format", "json")) as StorageUsage;
    expect(dfOutput.safeParse(usage).success).toBe(true);
    expect(usage.boxes.items).toMatchObject([{ name: "web" }]);
    expect(usage.images.allocatedBytes).toBeGreaterThan(0);
    const short = await here(home, "df");
    expect(short).toMatch(/^bases +1 /m);
    expect(short).not.toContain("USED BY");
    const long = await here(home, "df", "-v");
    expect(long).toContain(`${usage.bases.items[0]?.name}  disk of box web`);
    expect(long).toContain("its name in the store, box web");
  });
});

test("templates are counted by df, and removed by prune when it is told to", async () => {
  const home = await createTestHome();
  const folder = join(home.folder, "cache/box/templates");
  const env = { XDG_CACHE_HOME: join(home.folder, "cache") };
  const slot = "a".repeat(32);
  const file = `${slot}-${"b".repeat(16)}.state`;
  const makers = { qemu: "q", boot: "b", host: "" };
  const facts = { file, lengthBytes: 5000, sha256: "c".repeat(64), qemuVersion: "7.2.0" };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, file), "x".repeat(5000));
  const record = JSON.stringify({ format: 1, makers, madeMs: 1, ...facts });
  await writeFile(join(folder, `${slot}.json`), record);
  const run = async (...argv: string[]) =>
    (await runBoxHere(["--home", home.home, ...argv], { env })).stdout;
  const usage = JSON.parse(await run("df", "--format", "json"));
  expect(dfOutput.safeParse(usage).success).toBe(true);
  expect(usage.templates).toMatchObject({ allocatedBytes: 5000, items: [{}] });
  expect(usage.total.allocatedBytes).toBe(5000);
  expect(await run("prune")).toBe("freed 0 B\n");
  expect(await run("prune", "--templates", "-n")).toContain("would free 4.9 KiB");
  expect(await readdir(folder)).toHaveLength(2);
  const report = JSON.parse(await run("prune", "--templates", "--format", "json"));
  expect(pruneOutput.safeParse(report).success).toBe(true);
  expect(report).toMatchObject({ removed: [{ kind: "template", bytes: 5000 }], freedBytes: 5000 });
  expect(await readdir(folder)).toEqual([]);
});

describe("box prune", () => {
  test("shows in a dry run what would go and why the rest stays, and then removes it", async () => {
    const home = await withRemovedBox();
    expect(await here(home, "prune")).toMatch(/^kept +base .* disk of box web$/m);
    await home.box(["rm", "web"]);
    const dry = await here(home, "prune", "--dry-run");
    expect(dry).toMatch(/^would go +base .* no box, lease or quarantined disk uses it$/m);
    expect(dry).toMatch(/^would free .*B$/m);
    const bases = async () =>
      (await readdir(join(home.home, "bases"))).filter((name) => name.endsWith(".ext4"));
    expect(await bases()).toHaveLength(1);
    const report = JSON.parse(await here(home, "prune", "--format", "json")) as PruneReport;
    expect(pruneOutput.safeParse(report).success).toBe(true);
    expect(await bases()).toEqual([]);
    expect(report.removed.map(({ kind }) => kind)).toEqual(["base"]);
    expect(await here(home, "prune", "-q")).toBe("");
  });

  test("removes quarantined disks from an age on", async () => {
    const home = await withRemovedBox();
    const disk = join(home.directory, "quarantine", "disk.qcow2.corrupt-1");
    await mkdir(join(home.directory, "quarantine"));
    await writeFile(disk, "damaged");
    expect(await here(home, "prune", "-q", "--quarantine-older-than", "1h")).toBe("");
    expect(await here(home, "prune", "-q", "--quarantine-older-than", "0s")).toBe(`${disk}\n`);
    expect(existsSync(disk)).toBe(false);
  });

  test.each(["", "1", "1y", "-1d", "1.5h"])("refuses %j as an age", async (age) => {
    const argv = ["--home", "/nowhere", "prune", `--quarantine-older-than=${age}`];
    const run = await runBoxHere(argv);
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain("CLI_INVALID_ARGUMENT");
  });
});
