import { MemoryFile, observeFile } from "@box/io";
import { checkImage } from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { places } from "../../fixtures/build.ts";
import { recorded } from "../support/disk-script.ts";

describe("checkImage with repair", () => {
  it("lowers leaked refcounts, and nothing else in the file changes", async () => {
    const file = fileOf("valid/one-leak");
    const before = await file.read(0, await file.size());
    const { counters, findings } = await checkImage(file, { repair: "leaks" });
    expect(counters).toMatchObject({ leaks: 0, leaksFixed: 1, corruptionsFixed: 0 });
    expect(findings).toEqual([]);
    const after = await file.read(0, await file.size());
    expect(differences(before, after)).toBe(1);
  });

  it("leaves an image with errors alone when only leaks are to be repaired", async () => {
    const file = fileOf("corrupt/data-refcount-0");
    const before = await file.read(0, await file.size());
    const { counters } = await checkImage(file, { repair: "leaks" });
    expect(counters.corruptions).toBeGreaterThan(0);
    expect(await file.read(0, await file.size())).toEqual(before);
  });

  it.for([
    "corrupt/data-refcount-0",
    "corrupt/l1-copied-clear",
    "corrupt/refcount-table-entry-reserved",
    "corrupt/l2-refcount-0",
    "corrupt/l2-copied-set",
    "corrupt/refcount-block-absent",
    "corrupt/refcount-block-twice",
    "corrupt/refcount-block-past-end",
  ])("repairs %s", async (name) => {
    const file = fileOf(name);
    const { counters, findings } = await checkImage(file, { repair: "all" });
    expect(findings).toEqual([]);
    expect(counters).toMatchObject({ corruptions: 0, leaks: 0, checkErrors: 0 });
    expect(counters.corruptionsFixed).toBeGreaterThan(0);
  });

  it("clears the corrupt bit of an image that is sound", async () => {
    const { info, findings } = await checkImage(fileOf("corrupt/marked-corrupt"), {
      repair: "all",
    });
    expect(findings).toEqual([]);
    expect(info.isMarkedCorrupt).toBe(false);
  });

  it("changes nothing but the copied bit of a damaged pointer, and lowers no refcount", async () => {
    const file = fileOf("corrupt/l2-past-end");
    const before = await file.read(0, await file.size());
    const { errorCount, counters } = await checkImage(file, { repair: "all" });
    expect(errorCount).toBeGreaterThan(0);
    expect(counters.leaks).toBeGreaterThan(0);
    const after = await file.read(0, await file.size());
    expect(differences(before, after)).toBe(1);
    expect((before[places.l1] ?? 0) ^ (after[places.l1] ?? 0)).toBe(0x80);
  });

  it("refuses a source that cannot be written before it reads", async () => {
    const file = fileOf("valid/one-leak");
    const source = {
      size: () => file.size(),
      read: (offset: number, length: number) => file.read(offset, length),
    };
    const checking = checkImage(source, { repair: "leaks" });
    await expect(checking).rejects.toMatchObject({ code: "QCOW2_READ_ONLY" });
  });

  it.for([
    "valid/one-leak",
    "valid/snapshot-without-extra",
    "corrupt/data-refcount-0",
    "corrupt/l2-copied-set",
    "corrupt/marked-corrupt",
    "corrupt/refcount-block-absent",
  ])("has what it repairs on stable storage when it is done: %s", async (name) => {
    const { file, log } = recorded(fileOf(name));
    await checkImage(file, { repair: "all" });
    expect(log.length).toBeGreaterThan(1);
    expect(log.at(-1)?.kind).toBe("flush");
  });

  it("leaves the old refcounts in force until the new ones are on stable storage", async () => {
    const seen: string[] = [];
    const file = observeFile(fileOf("corrupt/refcount-table-entry-reserved"), (operation) => {
      if (operation.kind === "write") seen.push(operation.offset === 48 ? "header" : "write");
      if (operation.kind === "flush") seen.push("flush");
    });
    await checkImage(file, { repair: "all" });
    expect(seen.slice(0, 5)).toEqual(["write", "write", "flush", "header", "flush"]);
  });
});

function fileOf(name: string): MemoryFile {
  const built = fixtures.find((fixture) => fixture.name === name)?.build();
  if (!(built instanceof Uint8Array)) throw new Error(`there is no fixture ${name} with bytes`);
  return new MemoryFile(built);
}

function differences(before: Uint8Array, after: Uint8Array): number {
  expect(after.byteLength).toBe(before.byteLength);
  return before.filter((byte, index) => byte !== after[index]).length;
}
