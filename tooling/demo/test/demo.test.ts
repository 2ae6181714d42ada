import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

const program = fileURLToPath(new URL("../demo.ts", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly text: string;
  /** The demonstration's folders that are still there; Node's own cache of compiled code is not meant. */
  readonly leftOver: readonly string[];
}

/** Runs the demonstration in a temporary folder of its own, and interrupts it when it prints what is given. */
async function runDemo(args: readonly string[], interruptAt?: string): Promise<Ended> {
  const folder = await temporaryFolder();
  const child = spawn(process.execPath, ["--conditions=@box/source", program, ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 120_000,
  });
  let text = "";
  const take = (part: Buffer): void => {
    const isInterrupted = interruptAt !== undefined && text.includes(interruptAt);
    text += part;
    if (interruptAt !== undefined && !isInterrupted && text.includes(interruptAt)) {
      child.kill("SIGINT");
    }
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject).once("close", resolve);
  const code = await promise;
  const names = await readdir(folder);
  return { code, text, leftOver: names.filter((name) => name.startsWith("box-")) };
}

/** Command lines that have a text in them. */
async function processesAbout(text: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.filter((line) => line.includes(text));
}

describe("the demonstration", { timeout: 150_000 }, () => {
  test("runs the main job for real, without colours, and leaves nothing behind", async () => {
    const { code, text, leftOver } = await runDemo(["--cli", "src/main.ts"]);
    expect(code, text).toBe(0);
    expect(text).toContain("Everything was as it should be.");
    expect(text).not.toContain("\x1b");
    expect(leftOver).toEqual([]);
  });

  test("ends with 1, says why and leaves nothing behind when the command is not there", async () => {
    const { code, text, leftOver } = await runDemo(["--cli", "missing.js"]);
    expect(code).toBe(1);
    expect(text).toContain("This went wrong: box create");
    expect(leftOver).toEqual([]);
  });

  test("keeps the home when it is told to, also when something goes wrong", async () => {
    const { code, text, leftOver } = await runDemo(["--keep", "--cli", "missing.js"]);
    expect(code).toBe(1);
    expect(leftOver).toEqual([expect.stringMatching(/^box-demo-/)]);
    expect(text).toMatch(new RegExp(`Left in place: /.*/${leftOver[0]}\n`));
  });

  test("ends with 130 and leaves nothing behind when it is interrupted", async () => {
    const waiting = join(await temporaryFolder(), "waiting.mjs");
    await writeFile(waiting, 'console.error("box is at work"); setInterval(() => {}, 1000);');
    const { code, text, leftOver } = await runDemo(["--cli", waiting], "box is at work");
    expect(code, text).toBe(130);
    expect(text).toContain("Stopped.");
    expect(leftOver).toEqual([]);
  });

  test("leaves no machine running when it is interrupted while one runs", async () => {
    const { code, text, leftOver } = await runDemo(
      ["--cli", "src/main.ts"],
      "The machine answers after",
    );
    expect(code, text).toBe(130);
    expect(leftOver).toEqual([]);
    // Every process of a machine has the folder of its box in its arguments, which is below the home.
    const [, home = "nothing"] = /HOME stands for (\S+)\./.exec(text.replaceAll(/\s+/g, " ")) ?? [];
    expect(home).toContain("box-demo-");
    expect(await processesAbout(home)).toEqual([]);
  });

  test("ends with 1 on an option that it does not know", async () => {
    const { code, text } = await runDemo(["--unknown"]);
    expect(code).toBe(1);
    expect(text).toContain("--unknown");
  });
});
