import { mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { createOverlay } from "@box/qcow2";
import { describe, expect, test } from "vitest";
import { drawDiskChain, readDiskChain, shortName } from "../src/disk-chain.ts";
import { Narrator } from "../src/narrator.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const mebibyte = 1024 * 1024;
const key = "0123456789abcdef".repeat(4);

/** An overlay of 64 MiB on a base of 8 MiB that holds one page of data. */
async function writeChain(): Promise<{ folder: string; overlay: string; base: string }> {
  const folder = await temporaryFolder();
  const base = join(folder, `${key}.ext4`);
  await writeFile(base, "x".repeat(4096));
  await truncate(base, 8 * mebibyte);
  const overlay = join(folder, "disk.qcow2");
  await writeOverlay(overlay, base);
  return { folder, overlay, base };
}

async function writeOverlay(path: string, backingName: string): Promise<void> {
  await using file = await openFile(path, { mode: "create" });
  await createOverlay(file, {
    virtualSizeBytes: 64 * mebibyte,
    backingName,
    backingFormat: "raw",
  });
}

describe("readDiskChain", () => {
  test("finds the base that the overlay's own header names, with both sizes", async () => {
    const { overlay, base } = await writeChain();
    const chain = await readDiskChain(overlay);
    expect(chain).toMatchObject({
      overlay,
      base,
      baseFormat: "raw",
      virtualSizeBytes: 64 * mebibyte,
      baseSizeBytes: 8 * mebibyte,
    });
    expect(chain.baseAllocatedBytes).toBeLessThan(mebibyte);
    expect(chain.overlayAllocatedBytes).toBeLessThan(mebibyte);
  });

  test("takes a relative name from the overlay's folder", async () => {
    const { folder, base } = await writeChain();
    await mkdir(join(folder, "below"));
    const overlay = join(folder, "below", "disk.qcow2");
    await writeOverlay(overlay, `../${key}.ext4`);
    expect((await readDiskChain(overlay)).base).toBe(base);
  });

  test("fails when the base is not there", async () => {
    const { overlay } = await writeChain();
    await writeOverlay(`${overlay}.2`, "/missing/base.ext4");
    await expect(readDiskChain(`${overlay}.2`)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test("drawDiskChain puts the base below the overlay, with sizes for people", async () => {
  const { overlay } = await writeChain();
  const chain = await readDiskChain(overlay);
  let text = "";
  const narrator = new Narrator({ write: (part) => (text += part) });
  const sizes = { overlayAllocatedBytes: 196_608, baseAllocatedBytes: 4096 };
  drawDiskChain(narrator, { ...chain, ...sizes }, { overlay: "the files", base: "the image" });
  expect(text.split("\n")).toEqual([
    "   disk.qcow2   the files",
    "   │  takes 192 KiB; the machine sees a disk of 64 MiB",
    "   └─ 0123456789ab….ext4   the image",
    "      takes 4 KiB of 8 MiB; format raw, read-only",
    "",
  ]);
});

test("shortName leaves a name without a key as it is", () => {
  expect(shortName("/bases/debian.ext4")).toBe("debian.ext4");
});
