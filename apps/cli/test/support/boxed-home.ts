import { mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BoxDetails } from "@box/runtime";
import { writeSampleLayout } from "@box/sample-image";
import { expect, onTestFinished } from "vitest";
import { type SpawnBoxOptions, type SpawnedRun, spawnBox } from "./spawn-box.ts";

/** A home of one test, and an image layout beside it. */
export interface TestHome {
  /** A folder of the test's own. */
  readonly folder: string;
  /** The home; made by the first command. */
  readonly home: string;
  /** Reference of the sample image. */
  readonly image: string;
  /** Runs box in the home as a child process. */
  box(argv: readonly string[], options?: SpawnBoxOptions): Promise<SpawnedRun>;
}

/** Makes a folder with a layout and room for a home. */
export async function createTestHome(): Promise<TestHome> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "box-cli-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const home = join(folder, "home");
  await writeSampleLayout(join(folder, "layout"), "latest");
  return {
    folder,
    home,
    image: `oci:${join(folder, "layout")}:latest`,
    box: (argv, options) =>
      spawnBox(["--home", home, ...argv], { cwd: folder, env: { TMPDIR: folder }, ...options }),
  };
}

/** A box that was made by the command, with the paths of its disks. */
export interface MadeBox extends TestHome {
  /** Its guest disk. */
  readonly guestDisk: string;
  /** Its own disk. */
  readonly userDisk: string;
  /** What inspect says. */
  inspect(): Promise<BoxDetails>;
}

/** Makes a box `web` from the sample image. */
export async function createBox(...flags: string[]): Promise<MadeBox> {
  const test = await createTestHome();
  const created = await test.box([
    "create",
    test.image,
    "--name",
    "web",
    "--format",
    "json",
    ...flags,
  ]);
  expect(created.stderr).not.toContain("error[");
  expect(created.exitCode).toBe(0);
  const { box } = JSON.parse(created.stdout) as { box: BoxDetails };
  const inspect = async () =>
    JSON.parse((await test.box(["inspect", "web", "--format", "json"])).stdout) as BoxDetails;
  return {
    ...test,
    guestDisk: box.disks.guest?.path ?? "",
    userDisk: box.disks.user?.path ?? "",
    inspect,
  };
}

/** Everything below a folder, as relative paths, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
