import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { imageMatrix } from "../support/image-matrix.ts";
import { temporaryFolder } from "../support/qemu.ts";

/** A sound image that mutants are made from. */
export interface SeedImage {
  /** What is special about it. */
  readonly name: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/** A mutant must be small enough to be written thousands of times. */
const maxSeedBytes = 2 * 2 ** 20;
/** QEMU needs its passphrase. */
const leftOut = ["LUKS"];

/** Makes one small image of every feature, and puts the files that they name into a folder. */
export function makeSeedImages(folder: string): SeedImage[] {
  const seeds: SeedImage[] = [];
  for (const { name, make } of imageMatrix.filter(({ name }) => !leftOut.includes(name))) {
    using workshop = temporaryFolder();
    make(workshop.path);
    const bytes = new Uint8Array(readFileSync(join(workshop.path, "i.qcow2")));
    if (bytes.byteLength <= maxSeedBytes) seeds.push({ name, bytes });
    for (const file of readdirSync(workshop.path)) {
      if (file !== "i.qcow2") copyFileSync(join(workshop.path, file), join(folder, file));
    }
  }
  return seeds;
}
