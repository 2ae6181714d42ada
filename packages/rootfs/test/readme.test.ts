import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readExt4 } from "@box/ext4";
import * as node from "@box/io/node";
import { ImageStore } from "@box/oci-images";
import * as qcow2 from "@box/qcow2";
import * as rootfs from "@box/rootfs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { archiveOf } from "./merge/layers.ts";
import { writeOciLayout } from "./merge/oci-layout.ts";
import { sampleLayers } from "./merge/sample-layers.ts";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "box-readme-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

test("the README's examples make a disk, a raw file system and one in a qcow2", async () => {
  const code = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, example]) => example).join("");
  const body = code.replace(/^import .*\n/gm, "");
  await writeOciLayout(join(home, "layout"), sampleLayers.map(archiveOf));
  await mkdir(join(home, "images"), { recursive: true });
  const log = vi.fn();
  const reference = `oci:${join(home, "layout")}:latest`;
  const given = { ...rootfs, ...node, ...qcow2, ImageStore, home, reference, console: { log } };
  const run = new Function(
    ...Object.keys(given),
    `return (async () => { ${body}; return sizeBytes; })();`,
  ) as (...values: unknown[]) => Promise<number>;
  const sizeBytes = await run(...Object.values(given));
  expect(log.mock.calls).toEqual([
    ["created", expect.objectContaining({ type: "made" })],
    [expect.stringMatching(/^[0-9a-f]{64}$/)],
  ]);
  await using file = await node.openFile(join(home, "image.qcow2"));
  await using image = await qcow2.openImage(file);
  expect(image.sizeBytes).toBe(sizeBytes);
  const raw = await readFile(join(home, "image.ext4"));
  expect(raw.equals(await image.read(0, sizeBytes))).toBe(true);
  const reader = await readExt4(image);
  const agent = await reader.lookup(Buffer.from("/sbin/agent"));
  expect(await reader.attributes(agent ?? 0)).toMatchObject({ mode: 0o755, sizeBytes: 9 });
  expect(reader.summary.freeBytes).toBeGreaterThanOrEqual(64 * 2 ** 20);
});

test("the README names everything that the package exports", async () => {
  const index = await readFile(new URL("../src/index.ts", import.meta.url), "utf8");
  const names = [...index.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = ""]) =>
    list
      .split(",")
      .map((name) => name.replace(/\btype\b/, "").trim())
      .filter(Boolean),
  );
  names.push(
    ...Object.getOwnPropertyNames(rootfs.BaseCache.prototype).filter((it) => it !== "constructor"),
  );
  expect(names.length).toBeGreaterThan(70);
  for (const name of names) expect(readme, name).toMatch(new RegExp(`\\b${name}\\b`));
});

test("the README's table of limits is the defaults", () => {
  const rows = [...readme.matchAll(/^\| `(max\w+)` \| ([\d,]+) \|/gm)];
  const table = rows.map(([, name, value = ""]) => [name, Number(value.replaceAll(",", ""))]);
  expect(Object.fromEntries(table)).toEqual(rootfs.defaultMergeLimits);
});
