import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openImageFile } from "@box/qcow2/node";
import { describe, expect, it } from "vitest";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuImg, temporaryFolder } from "../support/qemu.ts";

const luks = imageMatrix.find(({ name }) => name === "LUKS");
const size = 8 * 2 ** 20;

describe.skipIf(!hasQemuImg)("an image with LUKS that QEMU made", () => {
  it("reads as QEMU decrypts it, at any offset", async () => {
    using folder = temporaryFolder();
    luks?.make(folder.path);
    qemuImg(folder.path, "convert", ...(luks?.openArguments ?? []), "-O", "raw", "expected.raw");
    const expected = readFileSync(join(folder.path, "expected.raw"));
    await using image = await openImageFile(join(folder.path, "i.qcow2"), { passphrase: "pass" });
    expect(Buffer.compare(await image.read(0, size), expected)).toBe(0);
    for (let index = 0; index < 100; index++) {
      const offset = (index * 1_299_709) % size;
      const length = [1, 511, 4096, 70_000][index % 4] ?? 1;
      const into = new Uint8Array(length);
      const found = await image.read(offset, length, into);
      expect(Buffer.compare(found, expected.subarray(offset, offset + length))).toBe(0);
    }
  });

  it("is refused without its passphrase, with another one, and for writing", async () => {
    using folder = temporaryFolder();
    luks?.make(folder.path);
    const path = join(folder.path, "i.qcow2");
    await expect(openImageFile(path)).rejects.toMatchObject({ code: "QCOW2_ENCRYPTED" });
    const wrong = openImageFile(path, { passphrase: new Uint8Array([1, 2]) });
    await expect(wrong).rejects.toMatchObject({ code: "QCOW2_PASSPHRASE_WRONG", kind: "auth" });
    const writing = openImageFile(path, { passphrase: "pass", mode: "rw" });
    await expect(writing).rejects.toMatchObject({ code: "QCOW2_UNSUPPORTED_ENCRYPTION" });
  });
});
