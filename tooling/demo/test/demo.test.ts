import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

const program = fileURLToPath(new URL("../demo.ts", import.meta.url));

interface Ended {
  readonly code: number;
  readonly text: string;
  readonly leftOver: readonly string[];
}

/** Runs the demonstration with the box command from its sources, in a temporary folder of its own. */
async function runDemo(...args: string[]): Promise<Ended> {
  const folder = await temporaryFolder();
  const all = ["--conditions=@box/source", program, "--cli", "src/main.ts", ...args];
  const env = { ...process.env, TMPDIR: folder };
  const { promise, resolve } = Promise.withResolvers<Omit<Ended, "leftOver">>();
  execFile(process.execPath, all, { env, timeout: 120_000 }, (error, stdout, stderr) =>
    resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr }),
  );
  return { ...(await promise), leftOver: await readdir(folder) };
}

describe("the demonstration", () => {
  test("ends with 1, says why and leaves nothing behind when the command is not there", async () => {
    const { code, text, leftOver } = await runDemo("--cli", "missing.js");
    expect(code).toBe(1);
    expect(text).toContain("This went wrong: box create");
    expect(leftOver).toEqual([]);
  }, 150_000);

  test("ends with 1 on an option that it does not know", async () => {
    const { code, text } = await runDemo("--unknown");
    expect(code).toBe(1);
    expect(text).toContain("--unknown");
  });
});
