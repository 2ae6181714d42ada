import { rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type FileSystemOperation, nodeFileSystem, observeFileSystem } from "@box/io/node";
import { bytesSource, describe as describeContent, OciLayout } from "@box/oras";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";

const contents = [1, 2, 3].map((byte) => new Uint8Array(100).fill(byte));
const type = "application/octet-stream";

/** A layout with three blobs and a partial one, on a file system of which one looks at each call. */
async function observed(before: (operation: FileSystemOperation) => void): Promise<OciLayout> {
  const folder = join(await temporaryFolder(), "layout");
  const filled = await OciLayout.ensure(folder);
  for (const bytes of contents) await filled.push(describeContent(type, bytes), bytesSource(bytes));
  await mkdir(join(folder, "ingest"), { recursive: true });
  await writeFile(join(folder, "ingest", `sha256-${"0".repeat(64)}`), "half");
  return OciLayout.open(folder, { fs: observeFileSystem(nodeFileSystem, before) });
}

async function countOf(layout: OciLayout): Promise<number> {
  let count = 0;
  for await (const _blob of layout.blobs()) count += 1;
  return count;
}

describe("listing blobs and removing partial ones", () => {
  test("tells any failing call as an I/O error that names the file", async () => {
    let kind = "";
    const layout = await observed((operation) => {
      if (operation.kind !== kind) return;
      throw Object.assign(new Error("EIO: injected"), { code: "EIO" });
    });
    const all = () => layout.removePartials({ beforeMs: Number.MAX_SAFE_INTEGER });
    for (const [failing, work] of [
      ["readdir", () => countOf(layout)],
      ["stat", () => countOf(layout)],
      ["readdir", all],
      ["stat", all],
      ["unlink", all],
    ] as const) {
      kind = failing;
      await expect(work()).rejects.toMatchObject({
        code: "IO_FAILED",
        details: { path: expect.stringContaining(layout.directory) },
      });
    }
    kind = "";
    expect([await countOf(layout), await all()]).toEqual([3, 4]);
  });

  test("removes a partial one of a blob that is there, however new it is", async () => {
    const layout = await observed(() => {});
    const { digest } = describeContent(type, contents[0] as Uint8Array);
    const old = join(layout.directory, "ingest", digest.replace(":", "-"));
    await writeFile(old, contents[0] as Uint8Array);
    expect(await layout.removePartials({ beforeMs: 0, dryRun: true })).toBe(100);
    expect(await layout.removePartials({ beforeMs: 0 })).toBe(100);
    expect(await layout.removePartials({ beforeMs: 0 })).toBe(0);
    expect(await countOf(layout)).toBe(3);
  });

  test("leaves out what another process takes away meanwhile", async () => {
    const layout = await observed(({ kind, path }) => {
      if (kind === "stat" && !path.endsWith("oci-layout")) rmSync(path, { force: true });
    });
    expect(await countOf(layout)).toBe(0);
  });
});
