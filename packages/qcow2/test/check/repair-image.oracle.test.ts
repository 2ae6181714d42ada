import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFile } from "@box/io/node";
import { checkImage } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { imageMatrix } from "../support/image-matrix.ts";
import { hasQemuImg, qemuCheck, qemuImg, temporaryFolder } from "../support/qemu.ts";

const leaking = imageMatrix.filter(({ name }) => name.startsWith("leaks"));

describe.skipIf(!hasQemuImg)("what checkImage repairs", { timeout: 300_000 }, () => {
  it.for(leaking)(
    "$name: qemu-img finds nothing more, and the content is the same",
    async ({ make }) => {
      using folder = temporaryFolder();
      make(folder.path);
      const path = join(folder.path, "i.qcow2");
      writeFileSync(join(folder.path, "before.qcow2"), readFileSync(path));
      await using file = await openFile(path, { mode: "rw" });
      const { counters } = await checkImage(file, { repair: "leaks" });
      expect(counters.leaksFixed).toBeGreaterThan(0);
      expect(qemuCheck(folder.path, ["-f", "qcow2", "i.qcow2"]).status).toBe(0);
      const formats = ["-f", "qcow2", "-F", "qcow2"];
      qemuImg(folder.path, "compare", ...formats, "before.qcow2", "i.qcow2");
    },
  );
});
