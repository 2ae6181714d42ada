import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { createTestHome } from "../support/boxed-home.ts";
import { canRun, spawnBox } from "../support/spawn-box.ts";

const little = ["explain", "IO_FAILED"];
// More than is written in one piece whatever the room.
const some = ["explain"];
// More than a pipe holds.
const much = ["explain", "--format", "json"];

// Node.js makes the output of its children wait: this does not.
const toPipeThatDoesNotWait = [
  "perl",
  "-e",
  "use Fcntl; close STDOUT; sysopen(STDOUT, shift, O_WRONLY | O_NONBLOCK) or die; exec @ARGV",
];

/** Reads until nobody has a pipe open for writing any more. */
async function readSlowly(fd: number): Promise<string> {
  const chunk = Buffer.alloc(4096);
  const chunks: Buffer[] = [];
  for (;;) {
    try {
      const length = readSync(fd, chunk);
      if (length === 0) return Buffer.concat(chunks).toString();
      chunks.push(Buffer.from(chunk.subarray(0, length)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      await sleep(20);
    }
  }
}

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "box-output-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

describe.skipIf(!canRun("perl", "-e", "1"))(
  "box whose output goes to a pipe that does not wait",
  () => {
    test.each([
      { argv: little, free: 10 },
      { argv: some, free: 5_000 },
      { argv: much, free: 10 },
      { argv: much, free: 5_000 },
    ])(
      "has all of $argv in it, though it has room for $free bytes only",
      async ({ argv, free }) => {
        const whole = (await spawnBox(argv)).stdout;
        const path = join(tempFolder(), "pipe");
        execFileSync("mkfifo", [path]);
        const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
        onTestFinished(() => closeSync(reading));
        const writing = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
        const filling = "-".repeat(65_536 - free);
        expect(writeSync(writing, filling)).toBe(filling.length);
        const run = spawnBox(argv, { under: [...toPipeThatDoesNotWait, path] });
        await sleep(300);
        closeSync(writing);
        const got = await readSlowly(reading);
        expect(await run).toMatchObject({ exitCode: 0, stderr: "" });
        expect(got === filling + whole).toBe(true);
      },
    );

    test("ends when it is told to, although nobody reads", async () => {
      const path = join(tempFolder(), "pipe");
      execFileSync("mkfifo", [path]);
      const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      onTestFinished(() => closeSync(reading));
      const stopping = ["timeout", "--foreground", "--preserve-status", "-k10", "2"];
      const run = await spawnBox(much, { under: [...stopping, ...toPipeThatDoesNotWait, path] });
      expect(run).toMatchObject({ exitCode: 143, stderr: expect.stringContaining("SIGTERM") });
    });
  },
);

describe("box whose output goes to a file", () => {
  test("appends to it, and writes stdout and stderr in the order that they were said in", async () => {
    const path = join(tempFolder(), "file");
    const to = ["sh", "-c", `exec "$@" >> "${path}" 2>&1`, "sh"];
    for (const argv of [much, ["nope"]]) await spawnBox(argv, { under: to });
    const first = await spawnBox(much);
    const second = await spawnBox(["nope"]);
    expect(readFileSync(path, "utf8") === first.stdout + second.stderr).toBe(true);
  });
});

describe("box whose output nobody takes", () => {
  test.each([
    ["closed", 'exec "$@" >&- 2>&-'],
    ["left by its readers", '"$@" 2>&1 >/dev/null | true; exit 0'],
    ["full", 'exec "$@" > /dev/full 2>&1'],
  ])("makes a box all the same when it is %s", async (_what, how) => {
    const { box, home, image } = await createTestHome();
    const argv = ["create", image, "--name", "web"];
    await box(argv, { under: ["sh", "-c", how, "sh"] });
    const prepared = await box(["prepare", "web"]);
    expect(prepared).toMatchObject({ exitCode: 0 });
    expect(prepared.stderr).toContain("keeping the existing disk");
    expect(readdirSync(join(home, "tmp"))).toEqual([]);
  });
});
