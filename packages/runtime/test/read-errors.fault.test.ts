import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { factsOf } from "./disk-facts.ts";
import { startChild } from "./run-child.ts";
import { openTestRuntime, temporaryFolder } from "./test-home.ts";

const timeout = 60_000;
const hasStrace = canTrace();

/** Whether strace is there and may trace. */
function canTrace(): boolean {
  try {
    execFileSync("strace", ["-qq", "-o", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function closedBox() {
  const { runtime, home } = await openTestRuntime();
  const { box } = await runtime.boxes.create({ image: "app", name: "web" });
  await runtime.close();
  return { home, guest: box.disks.guest?.path ?? "", user: box.disks.user?.path ?? "" };
}

describe.skipIf(!hasStrace)("injected by strace (which must be installed and allowed)", () => {
  test.each([
    ["pread64", "EIO"],
    ["openat", "EACCES"],
    ["openat", "EIO"],
    ["openat", "EMFILE"],
  ])("%s failing with %s is refused, with the file unchanged", { timeout }, async (call, errno) => {
    const { home, guest, user } = await closedBox();
    for (const path of [guest, user]) {
      const before = await factsOf(path);
      const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:error=${errno}`];
      const under = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", path, ...inject];
      expect(await startChild({ home, prepare: ["web"] }, { under }).last()).toMatchObject({
        type: "error",
        code: "OVERLAY_IO",
        kind: "io",
        message: expect.stringContaining("refusing to discard"),
      });
      expect(await factsOf(path)).toEqual(before);
    }
    expect(await startChild({ home, prepare: ["web"] }).last()).toEqual({ type: "done" });
  });

  test("an overlay that is kept is never opened for writing", { timeout }, async () => {
    const { home, guest, user } = await closedBox();
    const log = join(await temporaryFolder(), "log");
    const under = ["strace", "-f", "-qq", "-o", log, "-P", guest, "-P", user];
    const child = startChild({ home, prepare: ["web"] }, { under });
    expect(await child.last()).toEqual({ type: "done" });
    const calls = (await readFile(log, "utf8")).split("\n").filter((line) => line !== "");
    const opens = calls.filter((line) => line.includes("openat("));
    expect(opens.length).toBeGreaterThanOrEqual(2);
    for (const line of opens) expect(line).toMatch(/O_RDONLY/);
    expect(
      calls.filter((line) => /\b(pwrite64|write|ftruncate|fsync|rename)\(/.test(line)),
    ).toEqual([]);
  });
});
