import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeSampleLayout } from "@box/sample-image";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const program = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const readme = new URL("../../../README.md", import.meta.url);

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-example-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the example in the README", () => {
  test("makes a box with two disks and names the base of each", async () => {
    const layout = join(folder, "layout");
    const home = join(folder, "home");
    await writeSampleLayout(layout, "latest");
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions=@box/source", program, `oci:${layout}:latest`, home],
      { timeout: 60_000 },
    );
    const lines = stdout.trimEnd().split("\n").sort();
    expect(lines).toEqual([
      expect.stringMatching(
        /^guest disk: \/.+\/guest-rootfs\.qcow2, changes on top of \/.+\.ext4$/,
      ),
      expect.stringMatching(/^user disk: \/.+\/disk\.qcow2, changes on top of \/.+\.ext4$/),
    ]);
    for (const path of lines.flatMap((line) => line.match(/\/\S+\.(qcow2|ext4)/g) ?? [])) {
      expect((await stat(path)).isFile()).toBe(true);
    }
  }, 90_000);

  test("is this program, line by line", async () => {
    const shown = /<!-- example:start .*-->\n\n?```ts\n(.*?)```\n\n?<!-- example:end -->/s.exec(
      await readFile(readme, "utf8"),
    );
    expect(shown?.[1]).toBe(await readFile(program, "utf8"));
  });
});
