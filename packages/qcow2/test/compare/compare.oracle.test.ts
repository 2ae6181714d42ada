import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { compareImages } from "@box/qcow2";
import { openImageFile, withinDirectory } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuImg, qemuIo, temporaryFolder } from "../support/qemu.ts";

/** What `qemu-img compare` says: identical, or where the first mismatch is (in sectors where it compared two reads). */
function qemuCompare(folder: string, args: readonly string[]): string {
  const { status, stdout } = spawnSync("qemu-img", ["compare", ...args], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status === 0) return "identical";
  if (stdout.includes("Image size mismatch!\n") && stdout.startsWith("Strict")) return "size";
  const [, offset = "", kind] =
    /(?:Content mismatch at offset|Offset) (\d+)( block)?/.exec(stdout) ?? [];
  return `${kind ? "allocation" : "content"} at sector ${Math.floor(Number(offset) / 512)}`;
}

const plain = imageMatrix.filter(({ openArguments }) => openArguments === undefined);
const at = [300 * 1024 - 1, 7 * 2 ** 20 + 12_345];

describe.skipIf(!hasQemuImg)("compareImages, beside qemu-img compare", () => {
  it.for(plain)("$name", async ({ make }) => {
    using folder = temporaryFolder();
    make(folder.path);
    qemuImg(folder.path, "convert", "-f", "qcow2", "-O", "raw", "i.qcow2", "copy.raw");
    qemuImg(folder.path, "convert", "-f", "raw", "-O", "qcow2", "copy.raw", "copy.qcow2");
    const size = Number(
      JSON.parse(qemuImg(folder.path, "info", "--output=json", "copy.qcow2"))["virtual-size"],
    );
    const inside = size === 0 ? [] : at.map((offset) => offset % size).sort((a, b) => b - a);
    for (const [index, offset] of [-1, ...inside].entries()) {
      if (offset >= 0) {
        qemuIo(folder.path, "copy.raw", "-f", "raw", `write -q -P 0xee ${offset} 1`);
        qemuIo(folder.path, "copy.qcow2", `write -q -P 0xee ${offset} 1`);
      }
      const format = index === 1 ? "qcow2" : "raw";
      const theirs = ["-f", "qcow2", "-F", format, "i.qcow2", `copy.${format}`];
      const ours = await compareFiles(folder.path, format, false);
      expect(ours).toBe(qemuCompare(folder.path, theirs));
    }
  });

  it("in strict mode tells sizes and allocation apart as it does", async () => {
    using folder = temporaryFolder();
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "i.qcow2", "8M");
    qemuIo(
      folder.path,
      "i.qcow2",
      "write -q -P 1 0 1M",
      "write -q -z 2M 1M",
      "write -q -c -P 3 4M 64k",
    );
    const change = async (...commands: string[]) => {
      qemuImg(folder.path, "convert", "-f", "qcow2", "-O", "qcow2", "i.qcow2", "copy.qcow2");
      if (commands.length > 0) qemuIo(folder.path, "copy.qcow2", ...commands);
      const theirs = ["-s", "-f", "qcow2", "-F", "qcow2", "i.qcow2", "copy.qcow2"];
      const said = qemuCompare(folder.path, theirs);
      expect(await compareFiles(folder.path, "qcow2", true)).toBe(said);
      return said;
    };
    expect(await change()).toBe(`allocation at sector ${2 * 2048}`);
    expect(await change("write -q -z 2M 1M")).toBe(`allocation at sector ${4 * 2048}`);
    expect(await change("write -q -P 2 512k 1")).toBe("content at sector 1024");
    expect(await change("write -q -P 5 6M 1", "write -q -z 2M 1M")).toContain("allocation");
    qemuImg(folder.path, "create", "-q", "-f", "qcow2", "copy.qcow2", "9M");
    const theirs = ["-s", "-f", "qcow2", "-F", "qcow2", "i.qcow2", "copy.qcow2"];
    expect(await compareFiles(folder.path, "qcow2", true)).toBe(qemuCompare(folder.path, theirs));
  });
});

async function compareFiles(folder: string, format: string, isStrict: boolean): Promise<string> {
  const resolvers = { backing: withinDirectory(folder), dataFile: withinDirectory(folder) };
  await using image = await openImageFile(join(folder, "i.qcow2"), resolvers);
  const path = join(folder, `copy.${format}`);
  await using other = format === "raw" ? await openFile(path) : await openImageFile(path);
  const { isIdentical, difference, offset = 0 } = await compareImages(image, other, { isStrict });
  if (isIdentical) return "identical";
  if (difference === "size") return "size";
  return `${difference} at sector ${Math.floor(offset / 512)}`;
}
