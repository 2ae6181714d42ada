import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { CliError } from "../../src/errors.ts";
import { createTestHome } from "../support/boxed-home.ts";
import { type BoxRun, runBoxHere } from "../support/run-box.ts";

interface Bench {
  /** The home. */
  readonly home: string;
  /** An empty folder with the file `old` in it. */
  readonly target: string;
  /** Builds the sample image, or one with a large file on top. */
  build(output: string, ...more: readonly string[]): Promise<BoxRun>;
  /** The same, and stops it as soon as something new is in the folder. */
  interrupt(output: string, ...more: readonly string[]): Promise<BoxRun>;
}

async function bench(): Promise<Bench> {
  const { folder, home, image } = await createTestHome();
  const target = join(folder, "target");
  await mkdir(target);
  await writeFile(join(target, "old"), "old");
  await writeFile(join(folder, "large"), Buffer.alloc(8 * 2 ** 20, "not zero"));
  const run = (output: string, more: readonly string[], signal?: AbortSignal) =>
    runBoxHere(["--home", home, "rootfs", "build", image, "-o", `target/${output}`, ...more], {
      cwd: folder,
      ...(signal === undefined ? {} : { signal }),
    });
  return {
    home,
    target,
    build: (output, ...more) => run(output, more),
    interrupt: async (output, ...more) => {
      const controller = new AbortController();
      const running = run(output, more, controller.signal);
      while ((await readdir(target)).length < 2) await setImmediate();
      controller.abort(new CliError({ code: "CLI_INTERRUPTED", message: "stopped by SIGINT" }));
      return running;
    },
  };
}

const large = ["--inject", "large:/large:0644"];

describe.each(["ext4", "qcow2"])("a root file system in %s that cannot be built", (format) => {
  const flags = ["--disk-format", format];

  test("because it was interrupted leaves nothing, and the file of before as it was", async () => {
    const { target, interrupt } = await bench();
    for (const output of ["new", "old"]) {
      const run = await interrupt(output, ...flags, ...large);
      expect(run).toMatchObject({ exitCode: 130, stdout: "" });
      expect(run.stderr).toContain("error[CLI_INTERRUPTED]");
      expect(await readdir(target)).toEqual(["old"]);
    }
    expect(await readFile(join(target, "old"), "utf8")).toBe("old");
  });

  test("because its size is too small names the smallest, and that size will do", async () => {
    const { target, build } = await bench();
    const run = await build("new", ...flags, "--size", "1MiB");
    expect(run).toMatchObject({ exitCode: 2, stdout: "" });
    expect(run.stderr).toContain("error[EXT4_SIZE_TOO_SMALL]");
    const [, minimum = ""] = /minimum\w* +(\d+)/.exec(run.stderr) ?? [];
    expect(await readdir(target)).toEqual(["old"]);
    expect((await build("new", ...flags, "--size", minimum)).exitCode).toBe(0);
    expect((await build("newer", ...flags, "--size", `${Number(minimum) - 4096}`)).exitCode).toBe(
      2,
    );
  });

  test("because the disk is full says so, and leaves nothing", async ({ skip }) => {
    const { target, build } = await bench();
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4M", "tmpfs", target], { stdio: "pipe" });
    } catch {
      return skip("needs the right to mount a tmpfs");
    }
    onTestFinished(() => void execFileSync("umount", [target], { stdio: "pipe" }));
    await writeFile(join(target, "old"), "old");
    for (const output of ["new", "old"]) {
      const run = await build(output, ...flags, ...large);
      expect(run).toMatchObject({ exitCode: 6, stdout: "" });
      expect(run.stderr).toMatch(/^error\[\w+_NO_SPACE\]/m);
      expect(await readdir(target)).toEqual(["old"]);
    }
    expect(await readFile(join(target, "old"), "utf8")).toBe("old");
  });

  test("in a run that was killed is built by the next one, which removes what that one left", async () => {
    const { target, build } = await bench();
    await writeFile(join(target, ".tmp-4194000-1-0123456789abcdef"), "half");
    expect((await build("old", ...flags)).exitCode).toBe(0);
    expect(await readdir(target)).toEqual(["old"]);
    expect((await stat(join(target, "old"))).mode & 0o777).toBe(0o644);
  });
});

describe("layers of the store that are damaged", () => {
  /** A byte of every layer is another one; manifests, indexes and configs are read with their digests each time. */
  async function rot(home: string): Promise<string[]> {
    const blobs = join(home, "images/blobs/sha256");
    const rotten: string[] = [];
    for (const name of await readdir(blobs)) {
      const bytes = await readFile(join(blobs, name));
      if (bytes[0] === 0x7b) continue;
      bytes.writeUInt8(bytes.readUInt8(bytes.byteLength >> 1) ^ 1, bytes.byteLength >> 1);
      await rm(join(blobs, name));
      await writeFile(join(blobs, name), bytes);
      rotten.push(name);
    }
    expect(rotten.length).toBeGreaterThan(1);
    return rotten;
  }

  test("are fetched again, with a warning for each, and give the same file", async () => {
    const { home, target, build } = await bench();
    expect((await build("sound")).exitCode).toBe(0);
    const rotten = await rot(home);
    const run = await build("again");
    expect(run.exitCode).toBe(0);
    for (const name of rotten) {
      expect(run.stderr).toContain(
        `layer sha256:${name} was damaged in the store: it is taken away`,
      );
    }
    const [sound, again] = await Promise.all(
      ["sound", "again"].map((name) => readFile(join(target, name))),
    );
    expect(again?.equals(sound ?? Buffer.alloc(0))).toBe(true);
    expect((await readdir(target)).sort()).toEqual(["again", "old", "sound"]);
  });

  test("stay where nothing may be fetched, and are told", async () => {
    const { home, target, build } = await bench();
    expect((await build("sound")).exitCode).toBe(0);
    const rotten = await rot(home);
    const run = await build("again", "--pull", "never");
    expect(run).toMatchObject({ exitCode: 5, stdout: "" });
    expect(run.stderr).toContain("error[OCI_DIGEST_MISMATCH]");
    expect(run.stderr).toContain("box verify --repair");
    expect((await readdir(target)).sort()).toEqual(["old", "sound"]);
    const kept = await readdir(join(home, "images/blobs/sha256"));
    expect(kept).toEqual(expect.arrayContaining(rotten));
  });
});
