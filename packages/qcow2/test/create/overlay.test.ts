import { MemoryFile, observeFile } from "@box/io";
import { checkStructure, createOverlay, inspectImage, overlayBytes } from "@box/qcow2";
import { describe, expect, it } from "vitest";

const options = {
  virtualSizeBytes: 5 * 2 ** 30 + 512,
  backingName: "../base.raw",
  backingFormat: "raw",
} as const;

describe("createOverlay", () => {
  it("makes the bytes that overlayBytes returns", async () => {
    const target = new MemoryFile();
    await createOverlay(target, options);
    expect(Buffer.compare(target.toBytes(), overlayBytes(options))).toBe(0);
  });

  it("makes an image that passes the structure check without a leak", async () => {
    const report = await checkStructure(new MemoryFile(overlayBytes(options)));
    expect(report.leaks).toBe(0);
    expect(report.info).toMatchObject({ virtualSizeBytes: 5n * 2n ** 30n + 512n });
  });

  it("stores a name of 1023 bytes that are not UTF-8 as it is", async () => {
    const backingName = new Uint8Array(1023).fill(0xff);
    const bytes = overlayBytes({ ...options, backingName });
    const { backing } = await inspectImage(new MemoryFile(bytes));
    expect(backing?.nameBytes).toEqual(backingName);
  });

  it("fills a target that cannot be truncated", async () => {
    const file = new MemoryFile();
    await createOverlay(
      {
        size: () => file.size(),
        read: (offset, length) => file.read(offset, length),
        write: (offset, bytes) => file.write(offset, bytes),
      },
      options,
    );
    expect(Buffer.compare(file.toBytes(), overlayBytes(options))).toBe(0);
  });

  it("writes the header last, so that an unfinished overlay is no image", async () => {
    const offsets: number[] = [];
    const target = observeFile(new MemoryFile(), ({ kind, offset }) => {
      if (kind === "write") offsets.push(offset);
    });
    await createOverlay(target, options);
    expect(offsets.at(-1)).toBe(0);
    expect(offsets.length).toBe(3);
  });

  it("passes on that the target has no space, with its cause", async () => {
    const cause = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    const target = observeFile(new MemoryFile(), ({ kind }) => {
      if (kind === "write") throw cause;
    });
    await expect(createOverlay(target, options)).rejects.toMatchObject({
      code: "QCOW2_NO_SPACE",
      kind: "no-space",
      cause,
    });
  });

  it("refuses a backing format that is too long to store", () => {
    const backingFormat = "a-format-of-17-by" as "raw";
    expect(() => overlayBytes({ ...options, backingFormat })).toThrow(/backing format/);
  });
});
