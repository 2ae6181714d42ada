import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasTool, outlives } from "@box/test-support";
import { isMachineAlive, parseMachineRecord } from "@box/vm";
import { describe, expect, onTestFinished, test } from "vitest";
import { createTestHome, type TestHome } from "../support/boxed-home.ts";
import { builtFolder } from "../support/build-program.ts";
import { realEnvironment } from "./real-environment.ts";

const hello = /^hello from box, running on Linux \S+\n$/;
const timeout = 120_000;
const env = hasTool("qemu-system-x86_64") ? await realEnvironment() : undefined;

/** A home whose commands find QEMU and the kernel of the tests. */
async function realHome(): Promise<TestHome & { readonly env: Record<string, string> }> {
  const home = await createTestHome();
  const own = { ...env, TMPDIR: home.folder };
  onTestFinished(async () => {
    await home.box(["stop", "web", "--grace", "0"], { env: own });
  });
  return { ...home, env: own, box: (argv, options) => home.box(argv, { env: own, ...options }) };
}

const title = "a box in a real machine";
describe.skipIf(env === undefined)(env ? title : `${title} (skipped: no QEMU or kernel)`, () => {
  test.each([[[]], [["--guest-rootfs", "none"]]])(
    "runs its image's program, and box ends as that does: %j",
    { timeout },
    async (flags) => {
      const { box, image } = await realHome();
      const run = await box(["run", "--rm", "--name", "web", ...flags, image]);
      expect(run.stdout).toMatch(hello);
      expect(run.exitCode).toBe(0);
      expect((await box(["ls", "-q"])).stdout).toBe("");
    },
  );

  test("goes on from a template after the first one, and boots when that is damaged or --cold says so", {
    timeout,
  }, async () => {
    const { image, folder, box: plain, env: own } = await realHome();
    const cacheFolder = join(folder, "cache");
    const templates = join(cacheFolder, "box/templates");
    const run = async (...flags: string[]) => {
      const words = ["--progress", "json", "run", "--rm", "--name", "web", ...flags, image];
      const { stdout, stderr, exitCode } = await plain(words, {
        env: { ...own, XDG_CACHE_HOME: cacheFolder },
      });
      expect([stdout, exitCode]).toEqual([expect.stringMatching(hello), 0]);
      return stderr;
    };
    expect(await run()).toContain('"start":"cold"');
    const ending = async (end: string) =>
      (await readdir(templates)).filter((each) => each.endsWith(end));
    // Its supervisor is still writing when box has ended.
    await expect.poll(() => ending(".json"), { timeout: 60_000 }).toHaveLength(1);
    const warm = await run();
    expect(warm).toContain('"start":"warm"');
    expect(warm).not.toContain("VM_TEMPLATE_UNUSABLE");
    const cold = await run("--cold");
    expect(cold).toContain('"start":"cold"');
    expect(cold).not.toContain("VM_TEMPLATE_UNUSABLE");
    const path = join(templates, (await ending(".state"))[0] ?? "");
    const bytes = await readFile(path);
    bytes[bytes.byteLength - 1000] = (bytes[bytes.byteLength - 1000] ?? 0) ^ 0xff;
    await writeFile(path, bytes);
    const damaged = await run();
    expect(damaged).toContain('"start":"cold"');
    expect(damaged).toContain("VM_TEMPLATE_UNUSABLE");
    await expect.poll(() => ending(".json"), { timeout: 60_000 }).toHaveLength(1);
  });

  test("is started, runs commands with exit codes, and is stopped", { timeout }, async () => {
    const { box, image, folder } = await realHome();
    const create = ["create", image, "--name", "web", "--disk-size", "64MiB", "--net"];
    expect((await box(create)).exitCode).toBe(0);
    expect(await box(["start", "web", "-q"])).toMatchObject({ exitCode: 0, stdout: "web\n" });
    expect((await box(["exec", "web", "--", "/bin/hello"])).stdout).toMatch(hello);
    const missing = await box(["exec", "web", "--", "/no/such/program"]);
    expect(missing.exitCode).toBe(127);
    expect(missing.stderr).toContain("VM_EXEC_NOT_FOUND");
    expect((await box(["exec", "web", "--", "/etc/passwd"])).exitCode).toBe(126);
    expect((await box(["start", "web", "--format", "json"])).stdout).toContain('"attached"');
    const [stats] = JSON.parse((await box(["stats", "--format", "json"])).stdout);
    expect(stats.name).toBe("web");
    // The file system has grown with the disk.
    expect(stats.guest.diskBytes).toBeGreaterThan(50 * 2 ** 20);
    const listed = await box(["port", "web", "-p", "7", "--format", "json"]);
    const [{ hostPort }] = JSON.parse(listed.stdout);
    expect((await box(["port", "web"])).stdout).toBe(`7/tcp -> 127.0.0.1:${hostPort}\n`);
    expect((await box(["attach", "web"])).exitCode).toBe(125);
    await writeFile(join(folder, "program"), "#!", { mode: 0o755 });
    expect(await box(["cp", "program", "web:/etc/"])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await box(["cp", "web:/etc/.", "copied"])).toMatchObject({ exitCode: 0, stdout: "" });
    expect((await stat(join(folder, "copied/program"))).mode & 0o777).toBe(0o755);
    expect(await readFile(join(folder, "copied/passwd"), "utf8")).toContain("root");
    expect((await box(["cp", "web:/etc/program", "-"])).stdout).toContain("ustar");
    expect(await readFile(join(folder, "copied/resolv.conf"), "utf8")).toBe(
      "nameserver 10.0.2.3\n",
    );
    const stopped = await box(["stop", "web", "--format", "json"]);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ name: "web", step: "guest" });
    expect((await box(["exec", "web", "--", "/bin/hello"])).exitCode).toBe(125);
    expect(await box(["wait", "web"])).toMatchObject({ exitCode: 0, stdout: "stopped\n" });
  });

  test("runs for a program whose output is kept, and is killed", { timeout }, async () => {
    const { box, image } = await realHome();
    const flags = ["-d", "--name", "web", "-e", "A=b", "-w", "/etc"];
    expect(await box(["run", ...flags, image])).toMatchObject({ exitCode: 0 });
    expect((await box(["inspect", "web"])).stdout).toMatch(/^program +\/bin\/hello$/m);
    expect((await box(["logs", "-f", "web"])).stdout).toMatch(hello);
    expect((await box(["wait", "web"])).stdout).toBe("0\n");
    expect((await box(["logs", "--tail", "1", "web"])).stdout).toMatch(hello);
    await box(["create", image, "--name", "idle"]);
    expect((await box(["start", "idle"])).exitCode).toBe(0);
    expect((await box(["kill", "-s", "HUP", "idle"])).exitCode).toBe(4);
    const killed = await box(["kill", "idle", "--format", "json"]);
    expect(JSON.parse(killed.stdout)).toEqual({
      name: "idle",
      reached: "machine",
      state: "stopped",
    });
  });

  test("that box run has started ends within two seconds when box is killed", {
    timeout,
  }, async () => {
    const { box, image, home, env: own } = await realHome();
    const words = ["--home", home, "run", "-i", "--name", "web", image];
    const child = spawn(process.execPath, [join(builtFolder, "main.js"), ...words], {
      env: own,
      stdio: ["pipe", "ignore", "pipe"],
    });
    const exited = once(child, "exit");
    let said = "";
    for await (const chunk of child.stderr) {
      said += String(chunk);
      if (said.includes("done vmm_spawn")) break;
    }
    const [id = ""] = await readdir(join(home, "boxes"));
    const record = JSON.parse(await readFile(join(home, "boxes", id, "run/machine.json"), "utf8"));
    const machine = parseMachineRecord(record);
    expect(isMachineAlive(machine)).toBe(true);
    // Nobody runs box meanwhile: its supervisor ends it.
    expect(await outlives(child.pid ?? 0, machine.process.pid)).toBeLessThan(2000);
    await exited;
    expect(isMachineAlive(machine)).toBe(false);
    await expect
      .poll(
        async () => JSON.parse((await box(["inspect", "web", "--format", "json"])).stdout).state,
        {
          timeout: 60_000,
        },
      )
      .toBe("failed");
  });
});

test("box doctor says what is missing, and what to install", async () => {
  const { box, folder } = await createTestHome();
  const run = await box(["doctor"], { env: { PATH: folder, HOME: folder, TMPDIR: folder } });
  expect(run.exitCode).toBe(9);
  expect(run.stdout).toContain("apt-get install qemu-system-x86");
  expect(run.stdout).toContain("boxes cannot be started");
});
