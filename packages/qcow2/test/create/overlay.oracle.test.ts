import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { overlayBytes } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { hasQemuImg, qemuImg, qemuIo, temporaryFolder } from "../support/qemu.ts";

describe.skipIf(!hasQemuImg)("overlays as QEMU sees them", { timeout: 60_000 }, () => {
  it.for([
    [0, "base.raw"],
    [512, "base.raw"],
    [2 ** 30, "./base.raw"],
    [5 * 2 ** 40, `${"./".repeat(507)}base.raw`],
  ] as const)("a disk of %d bytes passes qemu-img check and takes writes", ([size, name]) => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, "base.raw"), new Uint8Array(65536).fill(7));
    writeFileSync(
      join(folder.path, "o.qcow2"),
      overlayBytes({ virtualSizeBytes: size, backingName: name, backingFormat: "raw" }),
    );
    expect(qemuImg(folder.path, "check", "-f", "qcow2", "o.qcow2")).toContain("No errors");
    const info = JSON.parse(qemuImg(folder.path, "info", "--output=json", "o.qcow2"));
    expect(info).toMatchObject({
      "virtual-size": size,
      "backing-filename": name,
      "backing-filename-format": "raw",
    });
    if (size === 0) return;
    qemuIo(folder.path, "o.qcow2", "read -P 7 0 512", `write -P 9 ${size - 512} 512`);
    expect(qemuImg(folder.path, "check", "-f", "qcow2", "o.qcow2")).toContain("No errors");
  });
});
