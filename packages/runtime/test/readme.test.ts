import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeSampleLayout } from "@box/sample-image";
import { expect, test } from "vitest";
import { temporaryFolder } from "./test-home.ts";

test("the README's example is the one that runs here", async () => {
  const path = fileURLToPath(new URL("./readme-example.ts", import.meta.url));
  const source = await readFile(path, "utf8");
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const example = source.slice(source.indexOf("\n") + 1);
  expect(readme).toContain(`\`\`\`ts\n${example}\`\`\``);
  const folder = await temporaryFolder();
  await writeSampleLayout(join(folder, "layout"), "v1");
  const args = [join(folder, "home"), `oci:${join(folder, "layout")}:v1`];
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--conditions=@box/source",
    path,
    ...args,
  ]);
  expect(stdout).toMatch(/^\S+\/disks\/disk\.qcow2 \S+\/disks\/guest-rootfs\.qcow2\nkept\n$/);
});
