import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { type CheckReport, checkImage, Qcow2Error } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { hasQemuImg, temporaryFolder } from "../support/qemu.ts";
import { qemuCheckAll, qemuRepairAll } from "../support/qemu-batch.ts";
import { lostContent, readableContent } from "../support/readable-content.ts";
import { mutate, seededRandom } from "./mutate.ts";
import { leavesMore, type RepairedTwice, repairRules } from "./repair-differences.ts";
import { makeSeedImages, type SeedImage } from "./seed-images.ts";

/** A tenth of the mutants that are only checked. */
const count = Math.ceil(Number(process.env["MUTANTS"] ?? 600) / 10);
const seed = Number(process.env["MUTANT_SEED"] ?? 1);
const batch = 50;

describe.skipIf(!hasQemuImg)("changed images", { timeout: count * 3000 + 60_000 }, () => {
  it(`are no worse after our repair than after QEMU's, or for a known reason, and lose nothing (${count} mutants, seed ${seed})`, async () => {
    using folder = temporaryFolder();
    const seeds = makeSeedImages(folder.path);
    const workshop = shared(folder.path);
    const byRule: Record<string, number> = {};
    const wrong: string[] = [];
    let repaired = 0;
    let clean = 0;
    for (let first = 0; first < count; first += batch) {
      const length = Math.min(batch, count - first);
      const mutants = Array.from({ length }, (_, position) => {
        const image = seeds[(first + position) % seeds.length] as SeedImage;
        const random = seededRandom(seed * 1_000_003 + 500_000 + first + position);
        const { bytes, change } = mutate(image.bytes, random);
        return { bytes, label: `${first + position}, ${image.name}, ${change}` };
      });
      const both = await repairTwice(
        workshop,
        mutants.map(({ bytes }) => bytes),
        wrong,
      );
      for (const [index, result] of both.entries()) {
        const { label } = mutants[index] ?? { label: "" };
        repaired += result.hasChanged ? 1 : 0;
        clean += result.ours.status === 0 ? 1 : 0;
        if (!leavesMore(result)) continue;
        const rule = repairRules.find(({ explains }) => explains(result));
        if (rule === undefined) wrong.push(`${label}: ${result.ours.messages.slice(0, 300)}`);
        else byRule[rule.name] = (byRule[rule.name] ?? 0) + 1;
      }
    }
    process.stderr.write(`repairs: ${JSON.stringify({ run: count, repaired, clean, byRule })}\n`);
    expect(wrong).toEqual([]);
    expect(repaired).toBeGreaterThan(count / 20);
  });
});

it("every kind of damage that is left on purpose is justified in the notes on the format", () => {
  const notes = readFileSync(new URL("../../../../docs/spec/qcow2.md", import.meta.url), "utf8");
  expect(repairRules.filter(({ name }) => !notes.includes(`\`${name}\``))).toEqual([]);
});

/** A folder that QEMU may write to without privileges, with the files that images name. */
function shared(folder: string): string {
  const path = join(folder, "repair");
  mkdirSync(path);
  chmodSync(path, 0o777);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isFile()) copyFileSync(join(folder, entry.name), join(path, entry.name));
  }
  for (const name of readdirSync(path)) chmodSync(join(path, name), 0o666);
  return path;
}

type Result = RepairedTwice & { readonly hasChanged: boolean };

async function repairTwice(
  folder: string,
  images: readonly Uint8Array[],
  wrong: string[],
): Promise<Result[]> {
  const their = images.map((bytes, index) => written(folder, `theirs-${index}.qcow2`, bytes));
  const repairing = qemuRepairAll(folder, their);
  const mine: { report?: CheckReport; error?: Qcow2Error; hasChanged: boolean }[] = [];
  const our: string[] = [];
  for (const [index, bytes] of images.entries()) {
    const file = new MemoryFile(bytes);
    mine.push({ ...(await repair(file)), hasChanged: Buffer.compare(file.toBytes(), bytes) !== 0 });
    our.push(written(folder, `ours-${index}.qcow2`, file.toBytes()));
    if (!mine[index]?.hasChanged) continue;
    const before = await readableContent(new MemoryFile(bytes));
    const lost = lostContent(before, await readableContent(file));
    if (lost.length > 0) wrong.push(`image ${index} of a batch has lost ${lost[0]}`);
  }
  await repairing;
  const checks = await qemuCheckAll(folder, [...our, ...their]);
  for (const name of [...our, ...their]) rmSync(join(folder, name));
  const none = { status: null, messages: "" };
  return mine.map((result, index) => ({
    ...result,
    ours: checks[index] ?? none,
    theirs: checks[images.length + index] ?? none,
  }));
}

function written(folder: string, name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes);
  chmodSync(join(folder, name), 0o666);
  if (process.getuid?.() === 0) chownSync(join(folder, name), 65534, 65534);
  return name;
}

async function repair(file: MemoryFile): Promise<{ report?: CheckReport; error?: Qcow2Error }> {
  try {
    return { report: await checkImage(file, { repair: "all", maxFindings: 100_000 }) };
  } catch (error) {
    if (error instanceof Qcow2Error) return { error };
    throw error;
  }
}
