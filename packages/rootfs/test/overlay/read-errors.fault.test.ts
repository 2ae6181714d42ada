import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lookAt, makeTestDisk, quarantined, type TestDisk } from "./disk.ts";
import { missing, output } from "./program.ts";

const child = fileURLToPath(new URL("prepare-in-child.ts", import.meta.url));

let disk: TestDisk;
beforeEach(async () => {
  disk = await makeTestDisk();
  await disk.make();
});
afterEach(() => disk.remove());

interface Told {
  readonly outcome?: string;
  readonly code?: string;
  readonly kind?: string;
  readonly message?: string;
}

/** Prepares the disk in a child whose system calls on `path` fail. */
async function prepareUnder(
  path: string,
  call: string,
  errno: string,
  role: string,
): Promise<Told> {
  const text = await output(
    "strace",
    ...["-f", "-qq", "-o", "/dev/null", "-P", path, "-e", `trace=${call}`],
    ...["-e", `inject=${call}:error=${errno}`],
    ...[process.execPath, "--conditions=@box/source", "--no-warnings", child],
    ...[disk.path, disk.basePath, disk.quarantineDirectory, role, "1048576"],
  );
  return JSON.parse(text) as Told;
}

describe.skipIf(missing("strace") !== undefined)("read errors of the system", () => {
  test("do not come up without any: the overlay is kept", async () => {
    expect(await prepareUnder("/nonexistent", "pread64", "EIO", "guest")).toEqual({
      outcome: "kept",
    });
  }, 60_000);

  test.each([
    ["pread64", "EIO", "guest"],
    ["pread64", "EIO", "user"],
    ["openat", "EACCES", "guest"],
    ["openat", "EMFILE", "user"],
    ["openat", "EIO", "guest"],
    ["statx", "EIO", "guest"],
  ])(
    "%s failing with %s on the %s overlay is refused, the file unchanged",
    async (call, errno, role) => {
      const before = await lookAt(disk.path);
      const told = await prepareUnder(disk.path, call, errno, role);
      expect(told).toMatchObject({ code: "OVERLAY_IO", kind: "io" });
      expect(told.message).toContain("refusing to discard a possibly-intact overlay");
      expect(told.message).toContain(errno);
      expect(await lookAt(disk.path)).toEqual(before);
    },
    60_000,
  );

  test.each([
    ["pread64", "EIO"],
    ["openat", "EACCES"],
    ["statx", "EIO"],
  ])(
    "%s failing with %s on the base is refused, even when the overlay is corrupt",
    async (call, errno) => {
      await writeFile(disk.path, "damaged");
      const before = await lookAt(disk.path);
      const told = await prepareUnder(disk.basePath, call, errno, "guest");
      expect(told).toMatchObject({ code: "OVERLAY_BACKING_IO", kind: "io" });
      expect(await lookAt(disk.path)).toEqual(before);
      expect(await quarantined(disk)).toEqual([]);
    },
    60_000,
  );
});
