import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { checkImage } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuCheck, qemuImg, qemuIo, temporaryFolder } from "../support/qemu.ts";

const clusterBytes = 65536;

describe.skipIf(!hasQemuImg)("repairing an image with an external data file", () => {
  it("takes a damaged pointer out of an entry that reads as zeros, and qemu-img agrees", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "-o", "data_file=d.raw", "i.qcow2", "1M");
    qemuIo(folder.path, "i.qcow2", "-f", "qcow2", "write -q -P 7 0 128k", "write -q -z 64k 64k");
    const path = join(folder.path, "i.qcow2");
    await using file = await openFile(path, { mode: "rw" });
    const entryAt = secondEntry(readFileSync(path));
    const entry = new Uint8Array(8);
    new DataView(entry.buffer).setBigUint64(0, 0x800000000003ffffn);
    await file.write?.(entryAt, entry);
    expect(qemuCheck(folder.path, ["-f", "qcow2", "i.qcow2"]).status).toBe(2);

    const { findings } = await checkImage(file, { repair: "all" });

    expect(findings).toEqual([]);
    expect(qemuCheck(folder.path, ["-f", "qcow2", "i.qcow2"]).status).toBe(0);
    await using image = await openImageFile(path, { dataFile: withinDirectory(folder.path) });
    expect(await image.read(clusterBytes, 512)).toEqual(new Uint8Array(512));
    expect(await image.read(0, 512)).toEqual(new Uint8Array(512).fill(7));
  });
});

/** Where the L2 entry of the second cluster stands. */
function secondEntry(image: Uint8Array): number {
  const view = new DataView(image.buffer, image.byteOffset);
  const l1 = Number(view.getBigUint64(40));
  const l2 = Number(view.getBigUint64(l1) & 0x00ff_ffff_ffff_ff00n);
  return l2 + 8;
}
