import { planExt4, writeExt4 } from "@box/ext4";
import { MemoryFile, observeFile } from "@box/io";
import { expect, test } from "vitest";
import { sampleTree } from "../images/sample-tree.ts";

test("passes on what the sink throws, whichever operation fails, and leaves no superblock", async () => {
  const plan = planExt4(sampleTree().tree, { journal: false });
  for (let failing = 1, done = false; !done; failing++) {
    let operations = 0;
    const memory = new MemoryFile();
    const failure = new Error(`operation ${failing} failed`);
    const sink = observeFile(memory, () => {
      if (++operations === failing) throw failure;
    });
    const result = await writeExt4(plan, sink).then(
      () => "done",
      (error: unknown) => error,
    );
    done = result === "done";
    const magic = await memory.read(1024 + 0x38, 2);
    if (done) expect([...magic]).toEqual([0x53, 0xef]);
    else {
      expect(result).toBe(failure);
      expect(magic.some((byte) => byte !== 0)).toBe(false);
    }
  }
});
