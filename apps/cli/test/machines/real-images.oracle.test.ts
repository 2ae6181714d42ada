import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BoxDetails } from "@box/runtime";
import { compileGuestProgram, hasTool, muslLoader, run as runTool } from "@box/test-support";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createTestHome, type TestHome } from "../support/boxed-home.ts";
import { type ImageFile, type ImageRunConfig, writeImageLayout } from "../support/image-layout.ts";
import { boxCommand, startBox } from "../support/spawn-box.ts";
import { type RealEnvironment, realEnvironment } from "./real-environment.ts";

const real = hasTool("qemu-system-x86_64") ? await realEnvironment() : undefined;
const timeout = 120_000;
/** From util-linux: runs a command on a terminal of its own. */
const script = "script";
const title = "images that have little";

/** A home with the image of a test, whose program is the one of the tests. */
interface ImageHome extends TestHome {
  readonly env: RealEnvironment;
}

async function homeOf(files: readonly ImageFile[], config: ImageRunConfig): Promise<ImageHome> {
  const home = await createTestHome();
  const env = { ...(real as RealEnvironment), TMPDIR: home.folder };
  onTestFinished(async () => {
    await home.box(["stop", "web", "--grace", "0"], { env });
  });
  const image = await writeImageLayout(join(home.folder, "image"), files, config);
  return { ...home, image, env, box: (argv, options) => home.box(argv, { env, ...options }) };
}

/** Starts box and interrupts it, as a terminal does, once it has printed this. */
async function interrupted({ home, folder, env }: ImageHome, words: string[], printed: string) {
  const child = startBox(["--home", home, ...words], { env, cwd: folder });
  const exited = once(child, "exit");
  child.stderr.resume();
  let output = "";
  for await (const chunk of child.stdout) {
    const isEarly = !output.includes(printed);
    output += String(chunk);
    if (isEarly && output.includes(printed)) child.kill("SIGINT");
  }
  const [exitCode] = (await exited) as [number | null];
  return { exitCode, output };
}

/** Types these keys on a terminal of box once it has printed such a text. */
async function typed(
  { home, folder, env }: ImageHome,
  words: string[],
  printed: RegExp,
  keys: string,
) {
  const command = boxCommand(["--home", home, ...words]).map((word) => `'${word}'`);
  const child = spawn(script, ["-qec", command.join(" "), "/dev/null"], { env, cwd: folder });
  const exited = once(child, "exit");
  let output = "";
  for await (const chunk of child.stdout) {
    const isEarly = !printed.test(output);
    output += String(chunk);
    if (isEarly && printed.test(output)) child.stdin.write(keys);
  }
  const [exitCode] = (await exited) as [number | null];
  return { exitCode, output };
}

describe.skipIf(real === undefined)(real ? title : `${title} (skipped: no QEMU or kernel)`, () => {
  const programs: Record<string, Uint8Array> = {};

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "box-program-"));
    for (const links of ["static", "musl"] as const) {
      const path = await compileGuestProgram(folder, links);
      if (path === undefined) throw new Error(`nothing compiles a program for ${links}`);
      programs[links] = await readFile(path);
    }
    await rm(folder, { recursive: true });
  });

  const program = (path: string, links = "static"): ImageFile => ({
    path,
    mode: 0o755,
    content: programs[links] ?? "",
  });

  test("a distroless one runs, says what it cannot run, and ends clean with a full disk", {
    timeout,
  }, async () => {
    const home = await homeOf(
      [
        { path: "etc", mode: 0o555 },
        { path: "etc/os-release", mode: 0o444, content: "ID=distroless\n" },
        { path: "home", mode: 0o755 },
        program("contract"),
      ],
      { Entrypoint: ["/contract"], Cmd: ["trap"], User: "65532:65532", StopSignal: "SIGINT" },
    );
    const { box, image } = home;
    const flags = ["-d", "--name", "web", "--disk-size", "64MiB", "--group-add", "7"];
    expect(await box(["run", ...flags, image])).toMatchObject({ exitCode: 0 });
    const exec = (...words: string[]) => box(["exec", "web", "--", ...words]);
    const shown = async (path: string) => (await exec("/contract", "show", path)).stdout;
    expect(await shown("/etc/hosts")).toMatch(/^127\.0\.0\.1\tlocalhost web$/m);
    expect(await shown("/etc/hostname")).toBe("web\n");
    expect(await shown("/proc/self/status")).toMatch(/^Uid:\t65532\t.*\nGid:\t65532\t/m);
    expect(await shown("/proc/self/status")).toMatch(/^Groups:\t7 /m);
    const failures: [string[], number, string][] = [
      [["web", "--", "sh"], 127, "VM_EXEC_NOT_FOUND"],
      [["web", "--", "/etc/os-release"], 126, "VM_EXEC_NOT_EXECUTABLE"],
      [["-u", "nobody", "web", "--", "/contract", "exit"], 125, "VM_EXEC_NO_USER"],
      [["-w", "/tmp", "web", "--", "/contract", "exit"], 125, "VM_EXEC_NO_DIRECTORY"],
    ];
    for (const [words, exitCode, code] of failures) {
      const ran = await box(["exec", ...words]);
      expect([ran.exitCode, ran.stdout, ran.stderr]).toEqual([
        exitCode,
        "",
        expect.stringContaining(code),
      ]);
    }
    // ENOSPC, not the machine that stands still.
    const full = ["exec", "-u", "0", "web", "--", "/contract", "fill", "/home/full"];
    expect(await box(full)).toMatchObject({ exitCode: 28, stderr: "" });
    expect(await interrupted(home, ["exec", "web", "--", "/contract", "trap"], "ready")).toEqual({
      exitCode: 7,
      output: "ready\ninterrupted\n",
    });
    const inTerminal = ["exec", "-it", "web", "--", "/contract", "trap"];
    const { exitCode, output } = await typed(home, inTerminal, /ready\r+\n/, "\x03");
    // Whether the key or the answer shows first, or the key at all, is the kernel's to choose.
    expect([exitCode, output.replace("^C", "")]).toEqual([7, "ready\r\ninterrupted\r\n"]);
    const details = await box(["inspect", "web", "--format", "json"]);
    const { disks } = JSON.parse(details.stdout) as BoxDetails;
    // Its program gets the signal that the image names, and no other.
    const stopped = JSON.parse((await box(["stop", "web", "--format", "json"])).stdout);
    expect(stopped).toMatchObject({ step: "guest" });
    expect((await box(["wait", "web"])).stdout).toBe("7\n");
    expect((await box(["logs", "web"])).stdout).toBe("ready\ninterrupted\n");
    for (const disk of [disks.user, disks.guest]) await expectSound(disk?.path ?? "", home.folder);
  });

  test("scratch with nothing but a program is interrupted by Ctrl-C", { timeout }, async () => {
    const home = await homeOf([program("contract")], { Entrypoint: ["/contract"] });
    const words = ["run", "--rm", "--name", "web", home.image, "--", "wait"];
    expect(await interrupted(home, words, "waiting")).toEqual({
      exitCode: 130,
      output: "waiting\n",
    });
    expect((await home.box(["ls", "-q"])).stdout).toBe("");
  });

  test("one with musl runs programs that are linked with it, as its users", {
    timeout,
  }, async () => {
    const { box, image } = await homeOf(
      [
        { path: "bin", mode: 0o755 },
        program("bin/contract", "musl"),
        { path: "etc", mode: 0o755 },
        { path: "etc/group", mode: 0o644, content: "root:x:0:root\napp:x:1000:\n" },
        {
          path: "etc/passwd",
          mode: 0o644,
          content: "root:x:0:0:root:/root:/bin/ash\napp:x:1000:1000::/home/app:/bin/ash\n",
        },
        { path: "lib", mode: 0o755 },
        { path: muslLoader.slice(1), mode: 0o755, content: await readFile(muslLoader) },
      ],
      { Env: ["PATH=/usr/bin:/bin"], Entrypoint: ["contract"], Cmd: ["env"], User: "app" },
    );
    const ran = await box(["run", "--rm", "--name", "web", "--hostname", "db.example", image]);
    expect(ran.stdout.split("\n").sort()).toEqual([
      "",
      "HOME=/home/app",
      "HOSTNAME=db.example",
      "PATH=/usr/bin:/bin",
    ]);
    expect(ran.exitCode).toBe(0);
  });
});

async function expectSound(disk: string, folder: string): Promise<void> {
  await runTool("qemu-img", ["check", "-f", "qcow2", disk]);
  const raw = join(folder, "disk.raw");
  await runTool("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", disk, raw]);
  await runTool("e2fsck", ["-fn", raw]);
}
