import { MemoryFile, type RandomAccess } from "@box/io";
import {
  allowList,
  type CreateImageOptions,
  createImage,
  type FileRequest,
  type OpenImageOptions,
  openImage,
  Qcow2Error,
} from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { places } from "../../fixtures/build.ts";
import { luksImage } from "../../fixtures/luks.ts";
import { standalone } from "../../fixtures/streams.ts";
import { memoryChain } from "../support/qcow2-files.ts";

const size = 2 ** 20;

async function imageOf(options: Partial<CreateImageOptions> = {}): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes: size, clusterSizeBytes: 4096, ...options });
  return file;
}

/** Notes when a file is closed. */
function noted(file: RandomAccess, name: string, closed: string[]) {
  const { write } = file;
  return {
    size: () => file.size(),
    read: (offset: number, length: number) => file.read(offset, length),
    ...(write && { write: write.bind(file) }),
    close: async () => void closed.push(name),
  };
}

const onBase = { backing: { name: "base", format: "raw" } };

describe("an image that cannot be opened", () => {
  it("closes its backing file when it may not be written", async () => {
    const closed: string[] = [];
    const top = await imageOf(onBase);
    await top.write(79, Uint8Array.of(1));
    const backing = memoryChain({ base: noted(new MemoryFile(), "base", closed) });
    await expect(openImage(top, { mode: "rw", backing })).rejects.toMatchObject({
      code: "QCOW2_DIRTY",
    });
    expect(closed).toEqual(["base"]);
  });

  it("closes a backing file whose format is refused", async () => {
    const closed: string[] = [];
    const top = await imageOf({ backing: { name: "base", format: "vmdk" } });
    const backing = memoryChain({ base: noted(new MemoryFile(), "base", closed) });
    await expect(openImage(top, { backing })).rejects.toMatchObject({
      code: "QCOW2_UNSUPPORTED_BACKING_FORMAT",
      details: { depth: 1, name: "base" },
    });
    expect(closed).toEqual(["base"]);
  });

  it("closes a data file that is the image itself", async () => {
    const closed: string[] = [];
    const top = await imageOf({ dataFile: { name: "data" } });
    const source = Object.assign(top, { close: async () => void closed.push("data") });
    await expect(openImage(top, { dataFile: async () => ({ source }) })).rejects.toMatchObject({
      code: "QCOW2_DATA_FILE_SHARED",
    });
    expect(closed).toEqual(["data"]);
  });

  it("closes its data file when the backing file is refused", async () => {
    const closed: string[] = [];
    const top = await imageOf({ ...onBase, dataFile: { name: "data" } });
    const dataFile = async () => ({ source: noted(new MemoryFile(), "data", closed) });
    await expect(openImage(top, { dataFile })).rejects.toMatchObject({
      code: "QCOW2_BACKING_DENIED",
    });
    expect(closed).toEqual(["data"]);
  });

  it("is refused for writing when its data file cannot be written, before anything is changed", async () => {
    const top = await imageOf({ dataFile: { name: "data" } });
    const { write: _, ...source } = noted(new MemoryFile(), "data", []);
    const options = { dataFile: async () => ({ source }) };
    await expect(openImage(top, { ...options, mode: "rw" })).rejects.toMatchObject({
      code: "QCOW2_READ_ONLY",
    });
    await using image = await openImage(top, options);
    expect(image.sizeBytes).toBe(size);
  });
});

describe("a resolver", () => {
  it("is asked to open nothing for writing but the data file of the top image", async () => {
    const asked: Pick<FileRequest, "role" | "depth" | "mode">[] = [];
    const base = await imageOf({ dataFile: { name: "lower" } });
    const top = await imageOf({
      backing: { name: "base", format: "qcow2" },
      dataFile: { name: "upper" },
    });
    const resolve =
      (source: RandomAccess) =>
      async ({ role, depth, mode }: FileRequest) => {
        asked.push({ role, depth, mode });
        return { source };
      };
    await using _ = await openImage(top, {
      mode: "rw",
      backing: resolve(base),
      dataFile: async (request) => resolve(new MemoryFile())(request),
    });
    expect(asked).toEqual([
      { role: "data-file", depth: 0, mode: "rw" },
      { role: "backing", depth: 1, mode: "r" },
      { role: "data-file", depth: 1, mode: "r" },
    ]);
  });

  it("is not asked for a file deeper than the limit", async () => {
    const names: (string | undefined)[] = [];
    const middle = await imageOf({ backing: { name: "base", format: "raw" } });
    const top = await imageOf({ backing: { name: "middle", format: "qcow2" } });
    const open = (maxChainDepth: number) =>
      openImage(top, {
        limits: { maxChainDepth },
        backing: async ({ name }) => {
          names.push(name);
          return { source: name === "middle" ? middle : new MemoryFile() };
        },
      });
    await expect(open(0)).rejects.toMatchObject({ code: "QCOW2_CHAIN_TOO_DEEP" });
    expect(names).toEqual([]);
    await expect(open(1)).rejects.toMatchObject({ code: "QCOW2_CHAIN_TOO_DEEP" });
    expect(names).toEqual(["middle"]);
    await (await open(2)).close();
  });

  it("keeps its own qcow2 error as it is", async () => {
    const own = new Qcow2Error({ code: "QCOW2_BACKING_MISSING", message: "gone" });
    const backing = async () => {
      throw own;
    };
    await expect(openImage(await imageOf(onBase), { backing })).rejects.toBe(own);
  });

  it.for(["bas", "base.", "", "Base", "base\0"])(
    "that allows %j does not allow base",
    async (name) => {
      const backing = allowList([{ name, open: () => ({ source: new MemoryFile() }) }]);
      await expect(openImage(await imageOf(onBase), { backing })).rejects.toMatchObject({
        code: "QCOW2_BACKING_DENIED",
      });
    },
  );
});

describe("limits", () => {
  it("allow a disk and snapshots of exactly their size", async () => {
    const file = await imageOf();
    {
      await using image = await openImage(file, { mode: "rw" });
      for (const name of ["a", "b"]) await image.createSnapshot(name, { date: new Date(0) });
    }
    const open = async (limits: OpenImageOptions["limits"]) =>
      (await openImage(file, { ...(limits && { limits }) })).close();
    await open({ maxVirtualSizeBytes: size, maxSnapshots: 2 });
    await expect(open({ maxVirtualSizeBytes: size - 1 })).rejects.toMatchObject({
      code: "QCOW2_IMAGE_TOO_LARGE",
    });
    await expect(open({ maxSnapshots: 1 })).rejects.toMatchObject({
      code: "QCOW2_TABLE_TOO_LARGE",
    });
  });

  it("hold for the memory that writing takes", async () => {
    const file = await imageOf();
    const before = file.toBytes();
    const image = await openImage(file, { mode: "rw", limits: { maxMetadataBytes: 100 } });
    await expect(image.write(0, Uint8Array.of(1))).rejects.toMatchObject({
      code: "QCOW2_METADATA_LIMIT",
    });
    await image.close();
    expect(Buffer.compare(file.toBytes(), before)).toBe(0);
  });
});

describe("a backing file that is refused", () => {
  it("keeps the hint of what to do", async () => {
    const top = await imageOf({ backing: { name: "base", format: "qcow2" } });
    const backing = async () => ({ source: new MemoryFile(luksImage()) });
    const refused = openImage(top, { backing });
    await expect(refused).rejects.toMatchObject({
      code: "QCOW2_ENCRYPTED",
      details: { depth: 1, name: "base" },
      hint: "give the passphrase",
    });
  });
});

it("an image that is cut before its L1 table reads as zeros when asked to be like QEMU", async () => {
  const cut = new MemoryFile(standalone(() => {}).slice(0, places.l1));
  await expect(openImage(cut)).rejects.toMatchObject({ kind: "corrupt" });
  await using image = await openImage(cut, { compat: "qemu" });
  expect([...(await image.read(0, 2))]).toEqual([0, 0]);
});

describe("a signal", () => {
  it.for(["a raw backing file", "a data file"])("ends reads from %s", async (from) => {
    const isData = from === "a data file";
    const file = await imageOf(isData ? { dataFile: { name: "data" } } : onBase);
    const other = new MemoryFile(new Uint8Array(size).fill(5));
    const resolver = async () => ({ source: other });
    if (isData) {
      await using image = await openImage(file, { mode: "rw", dataFile: resolver });
      await image.write(0, new Uint8Array(4096).fill(5));
    }
    const controller = new AbortController();
    const options = { backing: resolver, dataFile: resolver, signal: controller.signal };
    await using image = await openImage(file, options);
    expect((await image.read(0, 1))[0]).toBe(5);
    controller.abort();
    await expect(image.read(0, 1)).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
  });
});
