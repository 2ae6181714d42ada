import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MemoryFile } from "@box/io";
import { allowList, checkStructure, createImage, openImage, Qcow2Error } from "@box/qcow2";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterCrash } from "../support/after-crash.ts";
import { diskSteps, layouts, recorded, runStep } from "../support/disk-script.ts";
import { hasQemuImg, qemuVerdict, temporaryFolder } from "../support/qemu.ts";

async function runScript(name: string, steps: Parameters<typeof runStep>[1][], size: number) {
  const memory = new MemoryFile();
  const backing = { name: "base", format: "raw" };
  await createImage(memory, { virtualSizeBytes: size, ...layouts[name], backing });
  const start = memory.toBytes();
  const { file, log } = recorded(memory);
  const base = new MemoryFile(new Uint8Array(size / 2).fill(0xbb));
  const resolver = allowList([{ name: "base", open: () => ({ source: base }) }]);
  const image = await openImage(file, { mode: "rw", backing: resolver });
  for (const step of steps) await runStep(image, step);
  await image.close();
  return { start, log };
}

const crashLayouts = Object.keys(layouts).filter((name) => !/2 MiB|preallocated/.test(name));

describe("a crash after any prefix of the writes", () => {
  it.for(crashLayouts)("leaves a sound image, leaks at worst: %s", async (name) => {
    using folder = temporaryFolder();
    const clusterSize = layouts[name]?.clusterSizeBytes ?? 65536;
    const size = 24 * clusterSize;
    writeFileSync(join(folder.path, "base"), new Uint8Array(size / 2));
    let checked = 0;
    await fc.assert(
      fc.asyncProperty(diskSteps(size, clusterSize, 10), fc.nat(), async (steps, chance) => {
        const { start, log } = await runScript(name, steps, size);
        for (let end = 0; end <= log.length; end++) {
          for (const draw of [0, chance + end + 1]) {
            const file = afterCrash(start, log, end, draw);
            await checkStructure(file);
            if (hasQemuImg && ++checked % 150 === 0) {
              const path = join(folder.path, "crashed.qcow2");
              writeFileSync(path, file.toBytes());
              chmodSync(path, 0o644);
              expect(["clean", "leaks"]).toContain(qemuVerdict(folder.path, "crashed.qcow2"));
            }
          }
        }
      }),
      { numRuns: 8 },
    );
  });
});

describe("a storage that fails once", () => {
  it.for(["clusters of 512 and refcounts of 64 bits", "extended L2 entries"])(
    "costs only the operation that it failed, whichever call it is: %s",
    async (name) => {
      const clusterSize = layouts[name]?.clusterSizeBytes ?? 65536;
      const size = 200 * clusterSize;
      for (let failing = 1, failed = true; failed; failing++) {
        failed = await runWithFailure(name, size, failing);
        if (failing > 3000) throw new Error("the script never ends");
      }
    },
  );
});

/** Fails one call; says whether the script had that many calls. */
async function runWithFailure(name: string, size: number, failing: number): Promise<boolean> {
  const memory = new MemoryFile();
  await createImage(memory, { virtualSizeBytes: size, ...layouts[name] });
  let calls = 0;
  let kind = "";
  const file = { ...recorded(memory).file };
  for (const method of ["read", "write", "flush"] as const) {
    const original = file[method]?.bind(file) as (...args: unknown[]) => Promise<never>;
    Object.assign(file, {
      [method]: async (...args: unknown[]) => {
        if (++calls === failing) {
          kind = method;
          throw new Error("EIO: i/o error");
        }
        return original(...args);
      },
    });
  }
  const image = await openImage(file, { mode: "rw" }).catch(expectIo);
  if (image === undefined) return true;
  const model = new Uint8Array(size);
  let isUncertain = false;
  for (let index = 0; index < 12; index++) {
    const offset = (index * 7919) % (size - 3000);
    const bytes = new Uint8Array(3000).fill(index + 1);
    try {
      await image.write(offset, bytes);
      model.set(bytes, offset);
      if (index % 4 === 3) await image.flush();
    } catch (error) {
      expectIo(error);
      if (kind === "flush") return true;
      await image.write(offset, bytes);
      model.set(bytes, offset);
      isUncertain = true;
    }
  }
  try {
    await image.flush();
  } catch (error) {
    expectIo(error);
    await checkStructure(memory);
    if (kind === "flush") return true;
    await image.flush();
  }
  const found = await image.read(0, size).catch(expectIo);
  if (found !== undefined) expect(Buffer.compare(found, model)).toBe(0);
  await image.close();
  const { leaks } = await checkStructure(memory);
  if (!isUncertain) expect(leaks).toBe(0);
  return calls >= failing;
}

function expectIo(error: unknown): undefined {
  if (!(error instanceof Qcow2Error) || error.kind !== "io") throw error;
  return undefined;
}
