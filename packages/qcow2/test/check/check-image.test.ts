import { MemoryFile } from "@box/io";
import { checkImage, checkStructure, type Finding, Qcow2Error, toQemuCheck } from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import { places } from "../../fixtures/build.ts";
import { bitmapImage, extendedL2Image } from "../../fixtures/features.ts";

/** A check asks for what opening an image does not: extra data of snapshots, and refcounts of dirty images. */
const onlyCheckImage = new Set([
  "valid/snapshot-without-extra",
  "valid/dirty",
  "boundary/header-nb-snapshots-2",
  "boundary/overlap-snapshot-table-on-snapshot-l1",
  "boundary/snapshot-extra-data-size-0",
  "boundary/snapshot-extra-data-size-8",
  "boundary/snapshot-extra-data-size-15",
]);
const structural = fixtures.filter(
  ({ name, operation, check }) =>
    operation === "checkStructure" && check === undefined && !onlyCheckImage.has(name),
);

describe("checkImage", () => {
  it("finds an error in exactly the fixtures that checkStructure refuses", async () => {
    for (const { name, build } of structural) {
      const bytes = build();
      if (!(bytes instanceof Uint8Array)) continue;
      expect(`${name}: ${await verdict(bytes)}`).toBe(`${name}: ${await structureVerdict(bytes)}`);
    }
  });

  it("names the entry that is wrong, not the first one of its table", async () => {
    const subclusters = extendedL2Image((view, entry) => view.setUint32(entry + 3 * 16 + 12, 1));
    expect(await findingsOf(subclusters)).toMatchObject([
      { code: "QCOW2_SUBCLUSTERS_INVALID", offset: places.l2 + 3 * 16, structure: "L2 table" },
    ]);
    let tableAt = 0;
    const bits = bitmapImage((view, directory, table) => {
      tableAt = table;
      view.setUint32(directory + 8, 4);
      view.setUint8(directory + 17, 9);
      view.setBigUint64(table + 2 * 8, 2n);
    });
    expect(await findingsOf(bits)).toMatchObject([
      { code: "QCOW2_RESERVED_BITS", offset: tableAt + 2 * 8, structure: "bitmap table" },
    ]);
  });

  it("keeps as many findings as asked for and counts the rest", async () => {
    const image = imageOf("valid/one-cluster");
    image.fill(0, 0x20000, 0x30000);
    const report = await checkImage(new MemoryFile(image), { maxFindings: 2 });
    expect(report.findings).toHaveLength(2);
    expect(report.errorCount).toBeGreaterThan(2);
    expect(report.counters.corruptions).toBe(report.errorCount);
  });

  it("tells a leak from an error", async () => {
    const { findings, counters } = await checkImage(new MemoryFile(imageOf("valid/one-leak")));
    expect(findings).toMatchObject([{ severity: "leak", code: "QCOW2_LEAK" }]);
    expect(counters).toMatchObject({ leaks: 1, corruptions: 0 });
  });

  it("says that it is not complete when the snapshot table is cut", async () => {
    const report = await checkImage(new MemoryFile(imageOf("corrupt/snapshot-table-cut")));
    expect(report.isComplete).toBe(false);
    expect(toQemuCheck(report, "i")).toMatchObject({ "check-errors": 1, filename: "i" });
  });

  it("stops when it is aborted and tells how far it came", async () => {
    const source = new MemoryFile(imageOf("valid/one-cluster"));
    const abort = new AbortController();
    const seen: number[] = [];
    const options = { signal: abort.signal, onProgress: (bytes: number) => seen.push(bytes) };
    await checkImage(source, options);
    expect(seen.at(-1)).toBeGreaterThan(0);
    abort.abort();
    await expect(checkImage(source, options)).rejects.toMatchObject({ code: "QCOW2_ABORTED" });
  });
});

async function findingsOf(bytes: Uint8Array): Promise<readonly Finding[]> {
  return (await checkImage(new MemoryFile(bytes))).findings;
}

function imageOf(name: string): Uint8Array {
  const built = fixtures.find((fixture) => fixture.name === name)?.build();
  if (!(built instanceof Uint8Array)) throw new Error(`there is no fixture ${name} with bytes`);
  return built;
}

async function verdict(bytes: Uint8Array): Promise<string> {
  try {
    const { errorCount } = await checkImage(new MemoryFile(bytes));
    return errorCount > 0 ? "corrupt" : "sound";
  } catch (error) {
    if (error instanceof Qcow2Error) return error.kind;
    throw error;
  }
}

async function structureVerdict(bytes: Uint8Array): Promise<string> {
  try {
    await checkStructure(new MemoryFile(bytes));
    return "sound";
  } catch (error) {
    if (error instanceof Qcow2Error) return error.kind;
    throw error;
  }
}
