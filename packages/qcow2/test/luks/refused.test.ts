import { MemoryFile } from "@box/io";
import { openImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { edit, withU32 } from "../../fixtures/build.ts";
import { onto } from "../../fixtures/chains.ts";

const passphrase = "secret";

describe("an encrypted image", () => {
  it("is not opened for writing, whatever the passphrase", async () => {
    const opening = openImage(new MemoryFile(withU32(32, 2)), { mode: "rw", passphrase });
    const code = "QCOW2_UNSUPPORTED_ENCRYPTION";
    await expect(opening).rejects.toMatchObject({ code, kind: "unsupported", offset: 32 });
  });

  it.each(["r", "rw"] as const)("of the legacy method is not opened at all: %s", async (mode) => {
    const opening = openImage(new MemoryFile(withU32(32, 1)), { mode, passphrase });
    await expect(opening).rejects.toMatchObject({ code: "QCOW2_ENCRYPTED", offset: 32 });
  });

  it("below a plain one needs the passphrase too, and is not written with it", async () => {
    const bytes = withU32(32, 0);
    const top = new MemoryFile(bytes);
    const below = withU32(32, 2);
    edit(below).setBigUint64(8, 0n);
    const options = onto(() => new MemoryFile(below), { mode: "rw" });
    const asQcow2 = {
      ...options,
      backing: async () => ({ source: new MemoryFile(below), format: "qcow2" as const }),
    };
    await expect(openImage(top, asQcow2)).rejects.toMatchObject({
      code: "QCOW2_ENCRYPTED",
      details: { depth: 1 },
    });
    expect(top.toBytes()).toEqual(bytes);
  });
});
