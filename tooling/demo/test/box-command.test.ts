import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test, vi } from "vitest";
import { type BoxCommandOptions, runBox } from "../src/box-command.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A stand-in for the box command that does what the given code says. */
async function standIn(code: string): Promise<BoxCommandOptions> {
  const folder = await temporaryFolder();
  const script = join(folder, "box.mjs");
  await writeFile(script, code);
  return { program: [process.execPath, script], home: join(folder, "home") };
}

describe("runBox", () => {
  test("passes the home and plain progress before the command", async () => {
    const options = await standIn("console.log(JSON.stringify(process.argv.slice(2)))");
    const { stdout } = await runBox(["inspect", "hello"], options);
    const globals = ["--home", options.home, "--progress", "plain"];
    expect(JSON.parse(stdout)).toEqual([...globals, "inspect", "hello"]);
  });

  test("gives each line of standard error as it comes, and all of them at the end", async () => {
    const options = await standIn("process.stderr.write('one\\ntwo\\n'); console.log('data')");
    const seen: string[] = [];
    const run = await runBox([], { ...options, onLine: (line) => seen.push(line) });
    expect(seen).toEqual(["one", "two"]);
    expect(run.notes).toEqual(seen);
    expect(run.stdout).toBe("data\n");
    expect(run.durationMs).toBeGreaterThan(0);
  });

  test("hides settings of the user from the command and asks for no colours", async () => {
    vi.stubEnv("BOX_HOME", "/somewhere/else");
    const options = await standIn(
      "console.log(JSON.stringify([process.env.BOX_HOME, process.env.NO_COLOR]))",
    );
    expect(JSON.parse((await runBox([], options)).stdout)).toEqual([null, "1"]);
  });

  test("fails when the command ends with anything but 0, and when a signal ends it", async () => {
    await expect(runBox(["ls"], await standIn("process.exitCode = 3"))).rejects.toThrow(
      "box ls ended with 3",
    );
    const killed = await standIn("process.kill(process.pid, 'SIGKILL')");
    await expect(runBox(["ls"], killed)).rejects.toThrow("box ls ended with SIGKILL");
  });

  test("fails when the program is not there", async () => {
    const folder = await temporaryFolder();
    const program = [join(folder, "missing")] as const;
    await expect(runBox([], { program, home: folder })).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("ends the command when it is stopped, and waits until it is gone", async () => {
    const options = await standIn(`
      process.on("SIGTERM", () => { console.error("cleaned up"); process.exit(0); });
      setInterval(() => {}, 1000);
      console.error("ready");
    `);
    const stop = new AbortController();
    const seen: string[] = [];
    const onLine = (line: string): void => {
      seen.push(line);
      if (line === "ready") stop.abort();
    };
    const run = runBox([], { ...options, onLine, signal: stop.signal });
    await expect(run).rejects.toMatchObject({ name: "AbortError" });
    expect(seen).toEqual(["ready", "cleaned up"]);
  });
});
