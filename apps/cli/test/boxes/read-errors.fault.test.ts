import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createBox, filesBelow } from "../support/boxed-home.ts";
import { canRun } from "../support/spawn-box.ts";

describe.skipIf(!canRun("strace", "-qq", "-o", "/dev/null", "true"))(
  "box prepare, when the system fails to read an overlay",
  () => {
    const cases = [
      ["EIO", "pread64,read,preadv", "guestDisk"],
      ["EACCES", "openat", "guestDisk"],
      ["EIO", "pread64,read,preadv", "userDisk"],
      ["EACCES", "openat", "userDisk"],
    ] as const;

    test.each(cases)(
      "refuses %s from %s on the %s, with the file unchanged",
      async (errno, calls, disk) => {
        const { box, folder, [disk]: path } = await createBox();
        const before = await stat(path, { bigint: true });
        const bytes = await readFile(path);
        const inject = `inject=${calls}:error=${errno}`;
        const under = [
          "strace",
          "-f",
          "-qq",
          "-o",
          join(folder, "trace"),
          "-P",
          path,
          "-e",
          inject,
        ];
        const run = await box(["prepare", "web"], { under });
        expect(await readFile(join(folder, "trace"), "utf8")).toContain("INJECTED");
        expect(run.stderr).toContain("error[OVERLAY_IO]");
        expect(run.stderr).toContain("refusing to discard");
        expect(run.stderr).toContain(errno);
        expect(run.exitCode).toBe(6);
        const after = await stat(path, { bigint: true });
        expect([after.ino, after.size, after.mtimeNs]).toEqual([
          before.ino,
          before.size,
          before.mtimeNs,
        ]);
        expect((await readFile(path)).equals(bytes)).toBe(true);
        expect((await box(["prepare", "web"])).exitCode).toBe(0);
      },
    );

    test("never opens a valid overlay for writing", async () => {
      const { box, folder, guestDisk, userDisk } = await createBox();
      const trace = join(folder, "trace");
      const under = [
        "strace",
        "-f",
        "-qq",
        "-o",
        trace,
        "-e",
        "trace=openat,open,rename,unlink,truncate",
      ];
      expect((await box(["prepare", "web"], { under })).exitCode).toBe(0);
      const calls = (await readFile(trace, "utf8")).split("\n");
      for (const path of [guestDisk, userDisk]) {
        const own = calls.filter((line) => line.includes(`"${path}"`));
        expect(own.length).toBeGreaterThan(0);
        for (const line of own) expect(line).toMatch(/openat\(.*O_RDONLY/);
      }
      expect(await filesBelow(join(folder, "home", "tmp"))).toEqual([]);
    });
  },
);
