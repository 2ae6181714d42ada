import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { convertImage } from "@box/qcow2";
import { nodeCodec, openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

function content(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = 3;
  for (let at = 0; at < size; at++) {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    const kind = Math.floor(at / 100_000) % 4;
    if (kind === 1) bytes[at] = state >> 16;
    if (kind >= 2) bytes[at] = 32 + ((at >> 3) % 64);
  }
  return bytes;
}

const sizes = Array.from({ length: 13 }, (_, index) => 512 * 2 ** index);
const disk = content(2 ** 21 + 512);
const cases = sizes.flatMap((clusterSizeBytes) =>
  ([undefined, "zlib", "zstd"] as const).map((compressed) => ({ clusterSizeBytes, compressed })),
);

describe.skipIf(!hasQemuImg)("an image that was converted here, as QEMU sees it", () => {
  it.for(cases)("clusters of $clusterSizeBytes, compressed: $compressed", async (options) => {
    using folder = temporaryFolder();
    const path = join(folder.path, "i.qcow2");
    writeFileSync(join(folder.path, "s.raw"), disk);
    {
      await using source = await openFile(join(folder.path, "s.raw"));
      await using target = await openFile(path, { mode: "create" });
      const { clusterSizeBytes, compressed } = options;
      await convertImage(source, target, {
        format: "qcow2",
        clusterSizeBytes,
        ...(compressed && { compressed, codec: nodeCodec }),
      });
    }
    chmodSync(path, 0o644);
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    const compare = ["compare", "-f", "raw", "-F", "qcow2", "s.raw", "i.qcow2"];
    expect(qemuImg(folder.path, ...compare)).toContain("identical");
    qemuIo(folder.path, "i.qcow2", "write -P 3 1M 100k");
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    await using image = await openImageFile(path, { mode: "rw" });
    await image.write(2 ** 20 + 100, new Uint8Array(700_000).fill(9));
    await image.flush();
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
  });

  it("the end of a raw file that is no whole sector is there", async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "s.raw"), new Uint8Array(100_001).fill(7));
    await using source = await openFile(join(folder.path, "s.raw"));
    await using target = await openFile(join(folder.path, "i.qcow2"), { mode: "create" });
    await convertImage(source, target, { format: "qcow2" });
    chmodSync(join(folder.path, "i.qcow2"), 0o644);
    const compare = ["compare", "-f", "raw", "-F", "qcow2", "s.raw", "i.qcow2"];
    expect(qemuImg(folder.path, ...compare)).toContain("identical");
  });

  it("a chain of images becomes one that stands alone", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "base.qcow2", "3M");
    qemuIo(folder.path, "base.qcow2", "write -P 5 0 2M", "write -c -P 6 2M 1M");
    const backed = ["-b", "base.qcow2", "-F", "qcow2", "top.qcow2", "4M"];
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", ...backed);
    qemuIo(folder.path, "top.qcow2", "write -P 7 100k 10k", "write -z 1M 1M");
    for (const format of ["raw", "qcow2"] as const) {
      const name = `out.${format}`;
      await using target = await openFile(join(folder.path, name), { mode: "create" });
      const path = join(folder.path, "top.qcow2");
      await using image = await openImageFile(path, { backing: withinDirectory(folder.path) });
      await convertImage(image, target, { format });
      const compare = ["compare", "-f", "qcow2", "-F", format, "top.qcow2", name];
      expect(qemuImg(folder.path, ...compare)).toContain("identical");
    }
  });
});
