import { readdirSync } from "node:fs";
import { kindOf } from "@box/errors";
import { MemoryFile, observeFile, type RandomAccess } from "@box/io";
import {
  checkStructure,
  createOverlay,
  inspectImage,
  openImage,
  Qcow2Error,
  qcow2ErrorKinds,
} from "@box/qcow2";
import { type Fixture, fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";
import expectations from "../fixtures/boundary/expect.json" with { type: "json" };
import { boundaryNames } from "../fixtures/boundary/list.ts";
import { checkOutcome } from "./support/check-outcome.ts";

const root = new URL("../fixtures/", import.meta.url);

describe("every fixture comes out as its expect.json says", { timeout: 60_000 }, () => {
  for (const fixture of fixtures) {
    it(`${fixture.name}: ${fixture.title}`, async () => {
      const { qemu: _, check, ...expectation } = fixture.expectation;
      expect(await outcome(fixture)).toEqual(expectation);
      expect(await checkOutcome(fixture)).toEqual(check);
    });
  }
});

describe("the fixture suite", { timeout: 60_000 }, () => {
  it("lists every fixture folder", () => {
    const folders = readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith("recipe.ts"))
      .map((path) => path.slice(0, -"/recipe.ts".length))
      .filter((path) => path !== "boundary");
    const listed = fixtures.map(({ name }) => name).filter((name) => !isRow(name));
    expect(listed.toSorted()).toEqual(folders.toSorted());
  });

  it("has one expectation for each row of a table, and no other", () => {
    const rows = fixtures.map(({ name }) => name).filter(isRow);
    const expected = Object.keys(expectations).map((name) => `boundary/${name}`);
    expect(rows.toSorted()).toEqual(expected.toSorted());
    expect(boundaryNames.length).toBe(new Set(boundaryNames).size);
  });

  it("has a fixture for every error code", () => {
    const covered = new Set(fixtures.map(({ expectation }) => expectation.code));
    expect(Object.keys(qcow2ErrorKinds).filter((code) => !covered.has(code))).toEqual([]);
  });

  it("expects only codes that exist", () => {
    const known = [...Object.keys(qcow2ErrorKinds), "ok"];
    expect(fixtures.filter(({ expectation }) => !known.includes(expectation.code))).toEqual([]);
  });

  it("never writes to an input that is only looked at", async () => {
    const looked = fixtures.filter(
      ({ operation }) =>
        !/create|write|Snapshot$|Bitmap$/.test(operation) || operation === "openSnapshot",
    );
    for (const fixture of looked) {
      const operations = new Set<string>();
      const source = observeFile(toSource(fixture), ({ kind }) => {
        operations.add(kind);
      });
      await outcome({ ...fixture, build: () => source });
      expect([...operations].filter((kind) => kind !== "size" && kind !== "read")).toEqual([]);
    }
  });
});

function isRow(name: string): boolean {
  return name.startsWith("boundary/");
}

async function outcome(fixture: Fixture): Promise<Record<string, unknown>> {
  const source = toSource(fixture);
  try {
    return { code: "ok", ...(await run(fixture, source)) };
  } catch (error) {
    if (!(error instanceof Qcow2Error)) throw error;
    return {
      code: error.code,
      kind: kindOf(error),
      ...(error.offset === undefined ? {} : { offset: error.offset }),
    };
  }
}

async function run(fixture: Fixture, source: RandomAccess): Promise<Record<string, unknown>> {
  switch (fixture.operation) {
    case "inspect":
      await inspectImage(source);
      return {};
    case "checkStructure":
      return { leaks: (await checkStructure(source, fixture.check)).leaks };
    case "read":
    case "openSnapshot": {
      await using image = await openImage(source, fixture.open?.(source));
      const disk = fixture.operation === "read" ? image : await image.openSnapshot("1");
      await disk.read(0, 65536);
      return {};
    }
    case "write": {
      await using image = await openImage(source, { ...fixture.open?.(source), mode: "rw" });
      await image.write(0, new Uint8Array(512).fill(1));
      return {};
    }
    case "createSnapshot":
    case "applySnapshot":
    case "deleteSnapshot": {
      await using image = await openImage(source, { ...fixture.open?.(source), mode: "rw" });
      const { operation, snapshotName = "1" } = fixture;
      if (operation !== "createSnapshot") await image[operation]("1");
      else await image.createSnapshot(snapshotName, { date: new Date(0) });
      return {};
    }
    case "addBitmap":
    case "clearBitmap":
    case "removeBitmap": {
      await using image = await openImage(source, { ...fixture.open?.(source), mode: "rw" });
      await image[fixture.operation]("bits");
      return {};
    }
    case "createOverlay":
      if (fixture.overlay === undefined) throw new Error("the recipe lacks its overlay options");
      await createOverlay(source, fixture.overlay);
      return {};
  }
}

function toSource(fixture: Fixture): RandomAccess {
  const built = fixture.build();
  return built instanceof Uint8Array ? new MemoryFile(built) : built;
}
