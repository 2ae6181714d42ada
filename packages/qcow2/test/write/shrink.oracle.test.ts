import { chmodSync, copyFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { checkStructure, compareImages } from "@box/qcow2";
import { openImageFile } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

const layouts = [
  "compat=1.1",
  "compat=0.10",
  "cluster_size=512",
  "extended_l2=on",
  "refcount_bits=1",
  "cluster_size=2M",
  "data_file=d.raw",
];

function makeDisk(folder: string, options: string): void {
  qemuImg(folder, "create", "-q", "-f", "qcow2", "-o", options, "i.qcow2", "9M");
  const writes = ["write -q -P 5 0 5M", "write -q -z 1M 64k", "write -q -P 6 8M 1M"];
  const isCompressible = !/data_file|2M/.test(options);
  qemuIo(folder, "i.qcow2", ...writes, ...(isCompressible ? ["write -q -c -P 8 6M 128k"] : []));
}

async function resizeFile(folder: string, ...args: Parameters<typeof resize>): Promise<void> {
  const path = join(folder, "i.qcow2");
  await resize(...args);
  chmodSync(path, 0o644);
}

async function resize(
  path: string,
  sizeBytes: number,
  preallocation?: "metadata" | "full",
): Promise<void> {
  const dataFile = async ({ mode }: { mode: "r" | "rw" }) => ({
    source: await openFile(join(path, "../d.raw"), { mode }),
  });
  await using image = await openImageFile(path, { mode: "rw", dataFile });
  await image.resize(sizeBytes, { shrink: true, ...(preallocation && { preallocation }) });
}

describe.skipIf(!hasQemuImg)("a disk that was made smaller here, as QEMU sees it", () => {
  it.for(layouts)("equals one that QEMU made smaller: %s", async (options) => {
    using folder = temporaryFolder();
    makeDisk(folder.path, options);
    const path = join(folder.path, "i.qcow2");
    for (const size of [6 * 2 ** 20 + 66_048, 3 * 2 ** 20 + 512, 0]) {
      qemuImg(folder.path, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "flat.raw");
      await resizeFile(folder.path, path, size);
      expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
      if (size > 0)
        qemuImg(folder.path, "resize", "-q", "--shrink", "-f", "raw", "flat.raw", String(size));
      else copyFileSync("/dev/null", join(folder.path, "flat.raw"));
      const compare = ["compare", "-f", "qcow2", "-F", "raw", "i.qcow2", "flat.raw"];
      expect(qemuImg(folder.path, ...compare)).toBe("Images are identical.\n");
    }
    const clusterSize = options.includes("2M") ? 2 ** 21 : 65536;
    // Small clusters have refcount tables that moved to the end of the file when it grew, and stay there.
    if (!options.includes("512")) expect(statSync(path).size).toBeLessThanOrEqual(8 * clusterSize);
    // What QEMU adds then is zeros.
    qemuImg(folder.path, "resize", "-q", "-f", "qcow2", "i.qcow2", "9M");
    qemuIo(folder.path, "i.qcow2", "read -q -P 0 0 9M");
  });

  it("has zeros behind its end when QEMU makes it larger again, also in the cluster of the end", async () => {
    using folder = temporaryFolder();
    makeDisk(folder.path, "compat=1.1");
    const path = join(folder.path, "i.qcow2");
    const end = 3 * 2 ** 20 + 512;
    await resizeFile(folder.path, path, end);
    qemuImg(folder.path, "resize", "-q", "-f", "qcow2", "i.qcow2", "4M");
    await using image = await openImageFile(path);
    expect(await image.read(end - 512, 512)).toEqual(new Uint8Array(512).fill(5));
    expect(await image.read(end, 65_536)).toEqual(new Uint8Array(65_536));
  });

  it("leaves what snapshots have", async () => {
    using folder = temporaryFolder();
    makeDisk(folder.path, "cluster_size=4k");
    qemuImg(folder.path, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "flat.raw");
    qemuImg(folder.path, "snapshot", "-c", "one", "i.qcow2");
    const path = join(folder.path, "i.qcow2");
    await resizeFile(folder.path, path, 2_000_384);
    expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
    qemuImg(folder.path, "snapshot", "-a", "one", "i.qcow2");
    const compare = ["compare", "-f", "qcow2", "-F", "raw", "i.qcow2", "flat.raw"];
    expect(qemuImg(folder.path, ...compare)).toBe("Images are identical.\n");
  });

  it("is refused with snapshots in version 2", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "i.qcow2");
    makeDisk(folder.path, "compat=0.10");
    qemuImg(folder.path, "snapshot", "-c", "one", "i.qcow2");
    await expect(resize(path, 512)).rejects.toMatchObject({ code: "QCOW2_UNSUPPORTED_FEATURE" });
    expect(() => qemuImg(folder.path, "resize", "--shrink", "i.qcow2", "512")).toThrow(/v2 image/);
  });
});

describe.skipIf(!hasQemuImg)("a disk that was made larger here with preallocation", () => {
  const cases = ["compat=1.1", "compat=0.10", "cluster_size=512", "extended_l2=on"].flatMap(
    (options) => (["metadata", "full"] as const).map((amount) => ({ options, amount })),
  );
  it.for(cases)(
    "has every new cluster in its place: $options, $amount",
    async ({ options, amount }) => {
      using folder = temporaryFolder();
      makeDisk(folder.path, options);
      copyFileSync(join(folder.path, "i.qcow2"), join(folder.path, "q.qcow2"));
      const path = join(folder.path, "i.qcow2");
      const growing = resizeFile(folder.path, path, 12 * 2 ** 20 + 512, amount);
      if (options === "compat=0.10" && amount === "metadata") {
        await expect(growing).rejects.toMatchObject({ code: "QCOW2_UNSUPPORTED_FEATURE" });
        return;
      }
      await growing;
      qemuImg(
        folder.path,
        "resize",
        "-q",
        `--preallocation=${amount}`,
        "q.qcow2",
        String(12 * 2 ** 20 + 512),
      );
      expect(qemuVerdict(folder.path, "i.qcow2")).toBe("clean");
      await using image = await openImageFile(path);
      await using theirs = await openImageFile(join(folder.path, "q.qcow2"));
      expect(await compareImages(image, theirs)).toEqual({ isIdentical: true, hasSameSize: true });
      for await (const { start, hostOffset } of image.extents({ start: 9 * 2 ** 20 })) {
        expect({ start, isPlaced: hostOffset !== undefined }).toEqual({ start, isPlaced: true });
      }
      // Writing there takes no new cluster.
      const before = statSync(path).size;
      qemuIo(folder.path, "i.qcow2", "write -q -P 9 9M 3M");
      expect(statSync(path).size).toBeLessThanOrEqual(before + 2 * 65536);
      await using file = await openFile(path);
      expect(await checkStructure(file)).toMatchObject({ leaks: 0 });
    },
  );
});
