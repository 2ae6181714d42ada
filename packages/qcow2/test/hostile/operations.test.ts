import { MemoryFile, type RandomAccess } from "@box/io";
import {
  amendImage,
  checkStructure,
  commitImage,
  compareImages,
  measureImage,
  openImage,
  Qcow2Error,
  rebaseImage,
} from "@box/qcow2";
import { fixtures } from "@box/qcow2/fixtures";
import { describe, expect, it } from "vitest";

const zeros = async () => ({ source: new MemoryFile(new Uint8Array(100_000)) });
const resolvers = { backing: zeros, dataFile: zeros };
const limits = { maxVirtualSizeBytes: 2 ** 25 };

const operations: Readonly<Record<string, (file: RandomAccess) => Promise<unknown>>> = {
  "rebase, header alone": (file) => rebaseImage(file, { newBacking: null, isUnsafe: true }),
  rebase: (file) => rebaseImage(file, { newBacking: null, ...resolvers, limits }),
  "rebase onto another file": (file) =>
    rebaseImage(file, { newBacking: { name: "b", format: "raw" }, ...resolvers, limits }),
  commit: (file) => commitImage(file, { target: zeros, ...resolvers, limits }),
  "to version 2": (file) => amendImage(file, { version: 2 }),
  "to version 3": (file) => amendImage(file, { version: 3 }),
  "to other refcounts": (file) => amendImage(file, { version: 3, refcountBits: 32 }),
  shrink: (file) => resizeTo(file, (size) => Math.floor(size / 3)),
  grow: (file) => resizeTo(file, (size) => size + 70_000, "full"),
  "compare and measure": async (file) => {
    const image = await openImage(file, { ...resolvers, limits });
    await measureImage(image, { format: "qcow2", readsZeros: true });
    expect((await compareImages(image, image)).isIdentical).toBe(true);
  },
};

async function resizeTo(
  file: RandomAccess,
  size: (before: number) => number,
  preallocation: "off" | "full" = "off",
): Promise<void> {
  const image = await openImage(file, { mode: "rw", ...resolvers, limits });
  try {
    await image.resize(size(image.sizeBytes), { shrink: true, preallocation });
  } finally {
    await image.close();
  }
}

const inputs = fixtures.flatMap((fixture) => {
  const made = fixture.build();
  return made instanceof Uint8Array && made.byteLength < 2 ** 23 ? [{ fixture, bytes: made }] : [];
});

describe.each(Object.entries(operations))("on every fixture: %s", (_, run) => {
  it("succeeds or fails with an error of this package, and leaves what was sound so", async () => {
    expect(inputs.length).toBeGreaterThan(150);
    for (const { fixture, bytes } of inputs) {
      const wasSound = await isSound(new MemoryFile(bytes));
      const file = new MemoryFile(bytes);
      const failure = await run(file).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failure !== undefined && !(failure instanceof Qcow2Error)) {
        throw new Error(fixture.name, { cause: failure });
      }
      if (wasSound && !(await isSound(file))) throw new Error(`${fixture.name} is damaged`);
    }
  });
});

async function isSound(file: RandomAccess): Promise<boolean> {
  return checkStructure(file).then(
    () => true,
    () => false,
  );
}
