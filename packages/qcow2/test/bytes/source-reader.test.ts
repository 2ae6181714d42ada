import { MemoryFile, type RandomAccess } from "@box/io";
import { inspectImage, openImage, Qcow2Error } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { changedImage, validImage } from "../../fixtures/build.ts";
import { SourceReader } from "../../src/bytes/source-reader.ts";

const bytes = Uint8Array.from({ length: 1000 }, (_, at) => at & 0xff);

/** A source that returns no more than so many bytes at once, as Buffers that share their memory. */
function shortReads(most: number): RandomAccess & { reads: number } {
  const source = {
    reads: 0,
    size: async () => bytes.byteLength,
    read: async (offset: number, length: number) => {
      source.reads++;
      return Buffer.from(bytes.buffer, offset, Math.min(length, most, bytes.byteLength - offset));
    },
  };
  return source;
}

describe("SourceReader", () => {
  it.each([1, 7, 999])("asks again for what a source leaves out: %i bytes a time", async (most) => {
    const reader = await SourceReader.open(shortReads(most));
    const found = await reader.readExactly(100, 50, "L2 table");
    expect([...found]).toEqual([...bytes.subarray(100, 150)]);
    const into = new Uint8Array(60).fill(0xee);
    await reader.readExactly(100, 50, "L2 table", into);
    expect([...into.subarray(50)]).toEqual(Array(10).fill(0xee));
  });

  it("tells the end of the file from bytes that are missing inside it", async () => {
    const reader = await SourceReader.open(shortReads(1000));
    const cut = reader.readExactly(990, 11, "L2 table");
    const details = { lengthBytes: 11, fileSizeBytes: 1000 };
    await expect(cut).rejects.toMatchObject({ code: "QCOW2_TRUNCATED", kind: "corrupt", details });
    expect(await reader.readExactly(990, 10, "L2 table")).toHaveLength(10);
    const nothing = await SourceReader.open({ ...shortReads(0), size: async () => 1000 });
    const missing = nothing.readExactly(990, 10, "L2 table");
    await expect(missing).rejects.toMatchObject({ code: "QCOW2_SHORT_READ", kind: "io" });
  });

  it("keeps no memory of the source that a Buffer shares", async () => {
    const reader = await SourceReader.open(shortReads(1000));
    const found = await reader.readAvailable(0, 4);
    expect(found.constructor).toBe(Uint8Array);
    const copy = found.slice();
    copy[0] = 77;
    expect(found[0]).toBe(0);
  });

  it.each([
    ["text", "no such thing"],
    ["nothing", undefined],
    ["an object", {}],
  ])("takes %s that a source throws as an I/O error", async (_, thrown) => {
    const source = { size: async () => 1000, read: () => Promise.reject(thrown) };
    await expect(inspectImage(source)).rejects.toMatchObject({ code: "QCOW2_IO", cause: thrown });
  });
});

describe("errors about one file of a chain", () => {
  it("say which one, and keep what a resolver of this package says itself", async () => {
    const inner = changedImage((view) => view.setUint32(0, 7));
    const options = {
      backing: async () => ({ source: new MemoryFile(inner), format: "qcow2" as const }),
    };
    await expect(openImage(new MemoryFile(validImage()), options)).rejects.toMatchObject({
      code: "QCOW2_BAD_MAGIC",
      offset: 0,
      structure: "header",
      details: { depth: 1, name: "missing-base.raw" },
    });
    const own = new Qcow2Error({ code: "QCOW2_BACKING_DENIED", message: "not this one" });
    const refusing = openImage(new MemoryFile(validImage()), {
      backing: () => Promise.reject(own),
    });
    await expect(refusing).rejects.toBe(own);
  });

  it("puts bytes where they are wanted, also from a source that does not know of that", async () => {
    const reader = await SourceReader.open(shortReads(7));
    const into = new Uint8Array(60).fill(0xee);
    const found = await reader.readExactly(100, 50, "L2 table", into);
    expect([...into.subarray(0, 50)]).toEqual([...bytes.subarray(100, 150)]);
    expect([found.buffer, found.byteOffset]).toEqual([into.buffer, into.byteOffset]);
  });

  it.each(["size", "read"])(
    "takes what %s throws before it is waited for as an I/O error",
    async (method) => {
      const failing = () => {
        throw new Error("broken");
      };
      const source = { ...shortReads(1000), [method]: failing };
      await expect(inspectImage(source)).rejects.toMatchObject({ code: "QCOW2_IO" });
    },
  );

  it.each([
    ["QCOW2_NO_SPACE", Object.assign(new Error("full"), { code: "ENOSPC" })],
    ["QCOW2_NO_SPACE", Object.assign(new Error("full"), { code: "EDQUOT" })],
    ["QCOW2_NO_SPACE", new DOMException("full", "QuotaExceededError")],
    ["QCOW2_READ_ONLY", Object.assign(new Error("no"), { code: "EROFS" })],
    ["QCOW2_TIMEOUT", new DOMException("slow", "TimeoutError")],
    ["QCOW2_IO", Object.assign(new Error("broken"), { code: "EIO" })],
    ["QCOW2_IO", Object.assign(new Error("odd"), { code: "constructor" })],
    ["QCOW2_IO", { code: "ENOSPC" }],
  ])("says %s for what the system calls so", async (code, thrown) => {
    const source = { size: async () => 1000, read: () => Promise.reject(thrown) };
    await expect(inspectImage(source)).rejects.toMatchObject({ code, cause: thrown });
  });
});

describe("a size that is none", () => {
  it.each([1n, -1, 1.5, Number.NaN, 2 ** 60, "12", undefined])(
    "is the storage's failure: %s",
    async (size) => {
      const source = { size: async () => size as number, read: async () => new Uint8Array(0) };
      await expect(SourceReader.open(source)).rejects.toMatchObject({
        code: "QCOW2_IO",
        kind: "io",
      });
    },
  );
});
