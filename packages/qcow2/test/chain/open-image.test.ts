import { BoxError } from "@box/errors";
import { MemoryFile, observeFile } from "@box/io";
import { allowList, type FileRequest, openImage, overlayBytes } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { changedImage, places, validImage, withExtensions, withU64 } from "../../fixtures/build.ts";
import { onto } from "../../fixtures/chains.ts";
import { dataFileImage, extendedL2Image, snapshotImage } from "../../fixtures/features.ts";
import { backedBy, compressedStream, deflatedZeros, standalone } from "../../fixtures/streams.ts";

function closable(bytes: Uint8Array, log: string[], name: string) {
  const file = new MemoryFile(bytes);
  return Object.assign(file, {
    close: async () => {
      log.push(name);
    },
  });
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe("openImage", () => {
  it("reads its own clusters, then the backing file, then zeros", async () => {
    const base = new MemoryFile(new Uint8Array(65536 + 5).fill(7));
    await using image = await openImage(
      new MemoryFile(validImage()),
      onto(() => base),
    );
    expect(await image.size()).toBe(2 ** 30);
    expect([...(await image.read(65535, 2))]).toEqual([0xab, 7]);
    expect([...(await image.read(65536 + 4, 2))]).toEqual([7, 0]);
    expect([...(await image.read(2 ** 30 - 1, 10))]).toEqual([0]);
    expect((await image.read(2 ** 30, 10)).byteLength).toBe(0);
  });

  it("fills the buffer that it is given", async () => {
    await using image = await openImage(new MemoryFile(standalone(() => {})));
    const into = new Uint8Array(6).fill(9);
    const found = await image.read(65534, 4, into);
    expect(found.byteLength).toBe(4);
    expect([...into]).toEqual([0xab, 0xab, 0, 0, 9, 9]);
  });

  it("tells the resolver what the image wants, and where a backing file's own names are relative to", async () => {
    const requests: FileRequest[] = [];
    await using _ = await openImage(new MemoryFile(backedBy("qcow2")), {
      location: "/a/top",
      backing: async (request) => {
        requests.push(request);
        if (request.depth === 2) return { source: new MemoryFile(), format: "raw" };
        return { source: new MemoryFile(backedBy("")), location: "/b/middle" };
      },
    });
    expect(requests).toMatchObject([
      {
        role: "backing",
        name: "missing-base.raw",
        format: "qcow2",
        depth: 1,
        fromLocation: "/a/top",
      },
      { role: "backing", depth: 2, fromLocation: "/b/middle" },
    ]);
  });

  it("closes what resolvers opened, once, and never its own source", async () => {
    const closed: string[] = [];
    const top = closable(backedBy("qcow2"), closed, "top");
    const files = [
      closable(backedBy("raw"), closed, "middle"),
      closable(new Uint8Array(9), closed, "base"),
    ];
    const image = await openImage(top, {
      backing: async ({ depth }) => {
        const source = files[depth - 1];
        return source && { source };
      },
    });
    await image.close();
    await image.close();
    expect(closed).toEqual(["middle", "base"]);
  });

  it("closes what resolvers opened when a file below is refused", async () => {
    const closed: string[] = [];
    const middle = closable(backedBy("raw"), closed, "middle");
    const opening = openImage(new MemoryFile(backedBy("qcow2")), {
      backing: async ({ depth }) => (depth === 1 ? { source: middle } : undefined),
    });
    await expect(opening).rejects.toMatchObject({
      code: "QCOW2_BACKING_DENIED",
      details: { depth: 2 },
    });
    expect(closed).toEqual(["middle"]);
  });

  it("says which backing file is corrupt", async () => {
    const opening = openImage(
      new MemoryFile(backedBy("qcow2")),
      onto(() => new MemoryFile()),
    );
    await expect(opening).rejects.toMatchObject({
      code: "QCOW2_TRUNCATED",
      details: { depth: 1, name: "missing-base.raw" },
    });
  });

  it("finds a cycle through a second handle by identity", async () => {
    const file = new MemoryFile(backedBy("qcow2"));
    const again = observeFile(file, () => {});
    await expect(
      openImage(
        file,
        onto(() => again),
      ),
    ).rejects.toMatchObject({ code: "QCOW2_BACKING_CYCLE" });
  });

  it("lets the resolver's format win over the image's", async () => {
    const backing = allowList([
      {
        name: "missing-base.raw",
        open: () => ({ source: new MemoryFile(new Uint8Array([5])), format: "raw" }),
      },
    ]);
    await using image = await openImage(new MemoryFile(backedBy("vmdk")), { backing });
    expect((await image.read(65536, 1))[0]).toBe(0);
  });

  it("keeps a resolver's own refusal", async () => {
    const cause = new BoxError({ code: "POLICY", kind: "denied", message: "not today" });
    const backing = async () => {
      throw cause;
    };
    await expect(openImage(new MemoryFile(backedBy("raw")), { backing })).rejects.toMatchObject({
      kind: "denied",
    });
  });

  it("reads data from the external data file at the place that it has in the disk", async () => {
    const data = new MemoryFile(new Uint8Array(65536).fill(3));
    await using image = await openImage(new MemoryFile(dataFileImage()), {
      dataFile: allowList([{ name: "missing-data.raw", open: () => ({ source: data }) }]),
    });
    expect([...(await image.read(65535, 2))]).toEqual([3, 0]);
  });

  it("reads tables and clusters past the end of the file as zeros when asked to be like QEMU", async () => {
    const cut = standalone(() => {}).slice(0, places.l2);
    await using image = await openImage(new MemoryFile(cut), { compat: "qemu" });
    expect([...(await image.read(0, 2))]).toEqual([0, 0]);
    const lost = standalone(() => {}).slice(0, places.data);
    await using other = await openImage(new MemoryFile(lost), { compat: "qemu" });
    expect([...(await other.read(0, 2))]).toEqual([0, 0]);
  });

  it("decompresses a cluster once for reads that follow each other", async () => {
    let reads = 0;
    const source = observeFile(
      new MemoryFile(compressedStream(deflatedZeros(65536), "zlib")),
      ({ kind, offset }) => {
        if (kind === "read" && offset === places.data) reads++;
      },
    );
    await using image = await openImage(source);
    await image.read(0, 10);
    await image.read(100, 10);
    expect(reads).toBe(1);
  });

  it("refuses ranges that are not whole numbers", async () => {
    await using image = await openImage(new MemoryFile(standalone(() => {})));
    await expect(image.read(-1, 1)).rejects.toMatchObject({ kind: "invalid-argument" });
    await expect(image.read(0, 0.5)).rejects.toMatchObject({ kind: "invalid-argument" });
  });

  it("stops reading when it is aborted", async () => {
    const controller = new AbortController();
    await using image = await openImage(new MemoryFile(standalone(() => {})), {
      signal: controller.signal,
    });
    controller.abort();
    await expect(image.read(0, 1)).rejects.toMatchObject({ kind: "aborted" });
  });

  it("refuses an unknown incompatible feature", async () => {
    await expect(openImage(new MemoryFile(withU64(72, 1n << 5n)))).rejects.toMatchObject({
      code: "QCOW2_UNSUPPORTED_FEATURE",
    });
  });

  it("describes snapshots and lists them", async () => {
    await using image = await openImage(
      new MemoryFile(snapshotImage()),
      onto(() => new MemoryFile()),
    );
    expect(await image.snapshots()).toMatchObject([
      { id: "1", name: "snap", dateSeconds: 1_700_000_000, diskSizeBytes: 2n ** 30n },
    ]);
    const snapshot = await image.openSnapshot("snap");
    await snapshot.close();
    expect((await snapshot.read(0, 1))[0]).toBe(0xab);
  });
});

describe("extents", () => {
  async function extentsOf(bytes: Uint8Array, base?: Uint8Array) {
    const options = base === undefined ? {} : onto(() => new MemoryFile(base));
    await using image = await openImage(new MemoryFile(bytes), options);
    return collect(image.extents());
  }

  it("say where each range is stored, over the chain", async () => {
    expect(await extentsOf(validImage(), new Uint8Array(100_000))).toEqual([
      { start: 0, length: 65536, depth: 0, kind: "data", hostOffset: places.data },
      { start: 65536, length: 100_000 - 65536, depth: 1, kind: "data", hostOffset: 65536 },
      // The rest of the raw file's last sector, as QEMU has it.
      { start: 100_000, length: 352, depth: 1, kind: "zero", hostOffset: 100_000 },
      { start: 100_352, length: 2 ** 30 - 100_352, depth: 0, kind: "unallocated" },
    ]);
  });

  it("join clusters that are stored next to each other and tell zeros with and without a cluster apart", async () => {
    const bytes = withExtensions([], (view) => {
      view.setBigUint64(places.l2 + 8, 1n);
      view.setBigUint64(places.l2 + 16, 1n);
      view.setBigUint64(places.l2 + 24, (1n << 63n) | BigInt(places.l2) | 1n);
    });
    expect((await extentsOf(bytes)).slice(0, 3)).toEqual([
      { start: 0, length: 65536, depth: 0, kind: "data", hostOffset: places.data },
      { start: 65536, length: 131072, depth: 0, kind: "zero" },
      { start: 196608, length: 65536, depth: 0, kind: "zero", hostOffset: places.l2 },
    ]);
  });

  it("tell subclusters apart", async () => {
    const bytes = extendedL2Image((view, entry) => view.setUint32(entry + 8, 6));
    expect((await extentsOf(bytes, new Uint8Array(0))).slice(0, 3)).toEqual([
      { start: 0, length: 2048, depth: 0, kind: "data", hostOffset: places.data },
      { start: 2048, length: 4096, depth: 0, kind: "zero", hostOffset: places.data + 2048 },
      // The rest of the cluster has a place, as QEMU says too.
      {
        ...{ start: 6144, length: 65536 - 6144, depth: 0, kind: "unallocated" },
        hostOffset: places.data + 6144,
      },
    ]);
  });

  it("cover a part of the disk when asked", async () => {
    await using image = await openImage(
      new MemoryFile(changedImage(() => {})),
      onto(() => new MemoryFile()),
    );
    expect(await collect(image.extents({ start: 100, length: 50 }))).toEqual([
      { start: 100, length: 50, depth: 0, kind: "data", hostOffset: places.data + 100 },
    ]);
  });

  it("mark compressed clusters, which have no place of their own", async () => {
    const [first] = await extentsOf(compressedStream(deflatedZeros(65536), "zlib"));
    expect(first).toEqual({ start: 0, length: 65536, depth: 0, kind: "compressed" });
  });

  it("of an overlay without an allocation are one range", async () => {
    const bytes = overlayBytes({
      virtualSizeBytes: 2 ** 41,
      backingName: "missing-base.raw",
      backingFormat: "raw",
    });
    expect(await extentsOf(bytes, new Uint8Array(0))).toHaveLength(1);
  });
});
