import { MemoryFile } from "@box/io";
import { commitImage, createImage, inspectImage, openImage, Qcow2Error } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { errorOfKind, lostFile } from "../../fixtures/faults.ts";

const virtualSizeBytes = 2 ** 20;
const missingBase = { code: "QCOW2_BACKING_MISSING", kind: "backing-missing" };
const missingData = { code: "QCOW2_DATA_FILE_MISSING", kind: "backing-missing" };

async function overlayOn(format: string): Promise<MemoryFile> {
  const file = new MemoryFile();
  await createImage(file, { virtualSizeBytes, backing: { name: "base", format } });
  return file;
}

/** A file that can be told to be gone; it is open late, so that only its size says so. */
const lost = async () => ({ source: { ...lostFile(), write: async () => {} } });

describe("a file that turns out not to be there", () => {
  it("is not-found when it is the image, and the storage's failure once it was there", async () => {
    await expect(inspectImage(lostFile())).rejects.toMatchObject({
      code: "QCOW2_FILE_NOT_FOUND",
      kind: "not-found",
      message: "the source failed",
    });
    const file = await overlayOn("raw");
    const gone = {
      size: () => file.size(),
      read: async (): Promise<never> => {
        throw errorOfKind("not-found");
      },
    };
    await expect(inspectImage(gone)).rejects.toMatchObject({ code: "QCOW2_IO", kind: "io" });
  });

  it.each(["raw", "qcow2"])("is a missing backing file: %s", async (format) => {
    const top = await overlayOn(format);
    await expect(openImage(top, { backing: lost })).rejects.toMatchObject({
      ...missingBase,
      details: { depth: 1, name: "base" },
    });
  });

  it.each(["raw", "qcow2"])("is a missing target of a commit: %s", async (format) => {
    const top = await overlayOn(format);
    await expect(commitImage(top, { target: lost })).rejects.toMatchObject(missingBase);
  });

  it("is a missing data file, below an image that is not named instead", async () => {
    const dataFile = { name: "data", target: new MemoryFile() };
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes, dataFile });
    await expect(openImage(file, { dataFile: lost })).rejects.toMatchObject(missingData);
    const top = await overlayOn("qcow2");
    const opening = openImage(top, { backing: async () => ({ source: file }), dataFile: lost });
    await expect(opening).rejects.toMatchObject({ ...missingData, details: { name: "data" } });
  });
});

describe("a resolver that opens a file of this package", () => {
  it.each([
    ["QCOW2_FILE_NOT_FOUND", "QCOW2_BACKING_MISSING"],
    ["QCOW2_SNAPSHOT_NOT_FOUND", "QCOW2_SNAPSHOT_NOT_FOUND"],
    ["QCOW2_FILE_IN_USE", "QCOW2_FILE_IN_USE"],
  ] as const)("%s is then %s", async (thrown, code) => {
    const backing = async (): Promise<never> => {
      throw new Qcow2Error({ code: thrown, message: "it failed" });
    };
    await expect(openImage(await overlayOn("raw"), { backing })).rejects.toMatchObject({ code });
  });

  it("keeps in-use of another package", async () => {
    const backing = async (): Promise<never> => {
      throw errorOfKind("in-use");
    };
    const opening = openImage(await overlayOn("raw"), { backing });
    await expect(opening).rejects.toMatchObject({ code: "QCOW2_FILE_IN_USE", kind: "in-use" });
  });
});

describe("a backing name that QEMU takes for a protocol", () => {
  it.each([
    ["file:base.raw", "protocol"],
    ["nbd://host/disk", "protocol"],
    ["base.raw", "put the backing file back"],
  ])("%s, when it is missing, has a hint of its own", async (name, hint) => {
    const file = new MemoryFile();
    await createImage(file, { virtualSizeBytes, backing: { name, format: "raw" } });
    const backing = async (): Promise<never> => {
      throw errorOfKind("not-found");
    };
    await expect(openImage(file, { backing })).rejects.toMatchObject({
      ...missingBase,
      hint: expect.stringContaining(hint),
    });
  });
});
