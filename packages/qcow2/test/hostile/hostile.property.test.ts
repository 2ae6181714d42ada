import { MemoryFile, observeFile } from "@box/io";
import { type OpenImageOptions, Qcow2Error } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wholeClusterSize, wholeImage } from "../../fixtures/boundary/whole-image.ts";
import { imageFields } from "../mutants/image-fields.ts";
import { mutate, seededRandom } from "../mutants/mutate.ts";
import { looks } from "../support/look-at-image.ts";

const backing = new MemoryFile(new Uint8Array(65536).fill(0xee));
const data = new MemoryFile(new Uint8Array(65536).fill(0xdd));
const options: OpenImageOptions = {
  backing: async () => ({ source: backing, format: "raw" }),
  dataFile: async () => ({ source: data, format: "raw" }),
};

/** Bytes anywhere in a file of zeros that begins like an image, or in one of nothing but random bytes. */
const randomImage = fc.oneof(
  fc.uint8Array({ maxLength: 4096 }),
  fc
    .tuple(
      fc.constantFrom(2, 3),
      fc.integer({ min: 9, max: 13 }),
      fc.nat(1),
      fc.array(fc.tuple(fc.nat(8191), fc.nat(255)), { maxLength: 12 }),
    )
    .map(([version, clusterBits, snapshots, changes]) => {
      const bytes = new Uint8Array(8192);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, 0x514649fb);
      view.setUint32(4, version);
      view.setUint32(20, clusterBits);
      view.setBigUint64(24, 65536n);
      view.setUint32(36, 2);
      view.setBigUint64(40, BigInt(2 ** clusterBits));
      view.setBigUint64(48, BigInt(2 ** clusterBits));
      view.setUint32(56, 1);
      view.setUint32(60, snapshots);
      view.setBigUint64(64, BigInt(2 ** clusterBits));
      if (version === 3) view.setUint32(96, 4);
      if (version === 3) view.setUint32(100, 104);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    }),
);

const sound = wholeImage();
const soundFields = imageFields(sound);

const randomMutant = fc
  .array(fc.nat(), { minLength: 1, maxLength: 4 })
  .map((seeds) =>
    seeds.reduce(
      (bytes, seed) => mutate(bytes, seededRandom(seed), soundFields, wholeClusterSize).bytes,
      sound,
    ),
  );

describe("looking at hostile images", { timeout: 600_000 }, () => {
  it.for([
    ["random bytes", randomImage] as const,
    ["an image changed in several places", randomMutant] as const,
  ])("ends with a result or a Qcow2Error, and writes nothing: %s", async ([, images]) => {
    const counts = { failed: 0, succeeded: 0 };
    await fc.assert(
      fc.asyncProperty(images, fc.constantFrom(...Object.keys(looks)), async (bytes, name) => {
        const calls = new Set<string>();
        const source = observeFile(new MemoryFile(bytes), ({ kind }) => {
          calls.add(kind);
        });
        try {
          await looks[name]?.(source, options);
          counts.succeeded++;
        } catch (error) {
          if (!(error instanceof Qcow2Error)) throw error;
          expect(["corrupt", "unsupported", "limit", "encrypted"]).toContain(error.kind);
          counts.failed++;
        }
        expect([...calls].filter((kind) => kind !== "size" && kind !== "read")).toEqual([]);
      }),
      { numRuns: 1500 },
    );
    expect(Math.min(counts.failed, counts.succeeded)).toBeGreaterThan(10);
  });
});
