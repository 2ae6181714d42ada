import { spawnSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FolderRegistryStorage, serveRegistry } from "@box/oras/registry-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { writeLargeLayout } from "../support/large-image.ts";
import { spawnBox } from "../support/spawn-box.ts";

const limitBytes = 150e6;
const layerMebibytes = 256;

/** Writes down how much memory its process had at most; the kernel counts it from the start of the program on. */
const meter = `
const { readFileSync, writeFileSync } = require("node:fs");
process.on("exit", () => {
  const [, kibibytes] = /^VmHWM:\\s+(\\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  writeFileSync(process.env.BOX_TEST_PEAK, String(kibibytes * 1024));
});
`;

interface Measured {
  /** Environment variables of a process that is measured. */
  readonly env: Record<string, string>;
  readonly folder: string;
  /** The most memory of the last process, in bytes. */
  peak(): Promise<number>;
}

async function measured(): Promise<Measured> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "box-memory-")));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "peak");
  await writeFile(join(folder, "meter.cjs"), meter);
  return {
    folder,
    env: {
      NODE_OPTIONS: `--require=${join(folder, "meter.cjs")}`,
      BOX_TEST_PEAK: file,
      TMPDIR: folder,
    },
    peak: async () => {
      const bytes = Number(await readFile(file, "utf8"));
      await rm(file);
      return bytes;
    },
  };
}

describe.skipIf(process.platform !== "linux")("the memory of box", () => {
  test("is at most 150 MB, however large the layers that it moves", {
    timeout: 300_000,
  }, async () => {
    const { folder, env, peak } = await measured();
    await writeLargeLayout(join(folder, "layout"), layerMebibytes);
    const storage = await FolderRegistryStorage.open(join(folder, "registry"), Date.now());
    await using registry = await serveRegistry({ storage });
    const name = `${registry.host}/team/large:v1`;
    const layout = `oci:${join(folder, "layout")}:v1`;
    const peaks: [string, number][] = [];
    const box = async (argv: readonly string[], stdin?: string): Promise<void> => {
      const input = stdin === undefined ? {} : { stdin: createReadStream(stdin) };
      const words = ["--home", join(folder, "home"), ...argv];
      const run = await spawnBox(words, { cwd: folder, env, ...input });
      expect(run, argv.join(" ")).toMatchObject({
        exitCode: 0,
        stderr: expect.not.stringContaining("error["),
      });
      peaks.push([argv.join(" "), await peak()]);
    };
    await box(["pull", layout]);
    await box(["push", layout, name]);
    await box(["rmi", layout]);
    await rm(join(folder, "layout"), { recursive: true });
    await box(["pull", name]);
    await box(["verify", "--deep"]);
    await box(["export", name, "-o", "docker.tar", "--archive-format", "docker-archive"]);
    await box(["rmi", name]);
    await box(["import", "docker.tar"]);
    await box(["rmi", name]);
    await box(["import", "-"], join(folder, "docker.tar"));
    expect((await stat(join(folder, "docker.tar"))).size).toBeGreaterThan(
      2 * layerMebibytes * 2 ** 20,
    );
    expect(peaks).toHaveLength(10);
    expect(peaks.filter(([, bytes]) => !(bytes <= limitBytes))).toEqual([]);
  });

  test("is measured right: a process that takes more is found", async () => {
    const { env, peak } = await measured();
    const { PATH = "" } = process.env;
    const run = (code: string) =>
      spawnSync(process.execPath, ["-e", code], { env: { PATH, ...env } });
    expect(run("").status).toBe(0);
    expect(await peak()).toBeLessThan(limitBytes);
    run(`Buffer.alloc(${limitBytes}, 1)`);
    expect(await peak()).toBeGreaterThan(limitBytes);
  });
});
