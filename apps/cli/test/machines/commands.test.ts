import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createTestHome } from "../support/boxed-home.ts";
import { runBoxHere } from "../support/run-box.ts";

/** A home with a box, on a host without QEMU. */
async function boxWithoutQemu() {
  const { folder, home, image } = await createTestHome();
  const env = { PATH: folder, HOME: folder, XDG_RUNTIME_DIR: folder };
  const box = (...argv: string[]) => runBoxHere(["--home", home, ...argv], { env, cwd: folder });
  expect((await box("create", image, "--name", "web", "-q")).exitCode).toBe(0);
  return { box, image, env, home };
}

describe("on a host without QEMU", () => {
  test("start says what to install, and the box can be started later", async () => {
    const { box } = await boxWithoutQemu();
    const run = await box("start", "web");
    expect(run.exitCode).toBe(9);
    expect(run.stderr).toContain("VM_ENGINE_UNAVAILABLE");
    expect(run.stderr).toContain("apt-get install qemu-system-x86");
    expect((await box("restart", "web")).exitCode).toBe(9);
    expect((await box("inspect", "web", "--format", "json")).stdout).toContain('"failed"');
  });

  test("run ends with 125, and its box stays unless it was to go away", async () => {
    const { box, image } = await boxWithoutQemu();
    const run = await box("run", "--name", "tried", "--memory", "128", "--cpus", "1", image);
    expect(run.exitCode).toBe(125);
    expect(run.stderr).toContain("VM_ENGINE_UNAVAILABLE");
    const detached = await box("run", "-d", "--guest-rootfs", "none", image, "--", "/bin/hello");
    expect(detached.exitCode).toBe(125);
    expect((await box("run", "not a reference")).exitCode).toBe(125);
    expect((await box("ls", "-q")).stdout).toContain("tried\n");
  });

  test("a terminal that is none is told before anything is made or looked for", async () => {
    const { box, image } = await boxWithoutQemu();
    for (const words of [
      ["run", "-it", "--name", "new", image],
      ["exec", "-t", "nothing", "--", "x"],
    ]) {
      const run = await box(...words);
      expect([run.exitCode, run.stdout]).toEqual([125, ""]);
      expect(run.stderr).toContain("--tty needs a terminal");
    }
    expect((await box("ls", "-q")).stdout).toBe("web\n");
  });

  test("a box has an entry point, groups and a stop signal of its own", async () => {
    const { box, image } = await boxWithoutQemu();
    const made = async (...flags: string[]) => {
      const { stdout } = await box("create", image, ...flags, "--format", "json");
      const { name, run } = JSON.parse(stdout).box;
      const { stdout: shown } = await box("inspect", name);
      return { run, program: /^program +(.*)$/m.exec(shown)?.[1] };
    };
    const flags = ["--entrypoint", "/bin/sh", "--group-add", "video", "--group-add", "7"];
    expect(await made(...flags, "--stop-signal", "int")).toMatchObject({
      run: { entrypoint: ["/bin/sh"], groups: ["video", "7"], stopSignal: "SIGINT" },
      program: "/bin/sh",
    });
    expect(await made("--hostname", "db")).toMatchObject({ run: { hostname: "db" } });
    const cleared = await made("--entrypoint", "");
    expect(cleared).toMatchObject({ run: { entrypoint: [] }, program: undefined });
    expect((await box("create", image, "--stop-signal", "NOPE")).exitCode).toBe(2);
    expect((await box("run", "--stop-signal", "NOPE", image)).exitCode).toBe(125);
  });

  test("a box that would have nothing to run is not made", async () => {
    const { box, image } = await boxWithoutQemu();
    for (const more of [[], ["-d"]]) {
      const run = await box("run", "--name", "empty", "--entrypoint=", ...more, image);
      expect(run.exitCode).toBe(125);
      expect(run.stderr).toContain("names no program");
    }
    expect((await box("ls", "-q")).stdout).toBe("web\n");
  });

  test("a box that does not run is stopped already, and has nothing to run a command in", async () => {
    const { box } = await boxWithoutQemu();
    const stopped = await box("stop", "web", "--grace", "0", "--format", "json");
    expect(JSON.parse(stopped.stdout)).toMatchObject({ name: "web", step: "already" });
    expect((await box("stop", "web", "-q")).stdout).toBe("web\n");
    const run = await box("exec", "web", "--", "/bin/hello");
    expect(run.exitCode).toBe(125);
    expect(run.stderr).toContain("BOX_NOT_RUNNING");
    expect((await box("wait", "web")).exitCode).toBe(4);
  });

  test("a box that does not run has logs, and nothing that can be killed", async () => {
    const { box, home } = await boxWithoutQemu();
    expect(await box("logs", "web", "-f")).toMatchObject({ exitCode: 0, stdout: "" });
    const [id = ""] = await readdir(join(home, "boxes"));
    await mkdir(join(home, "boxes", id, "logs"), { recursive: true });
    await writeFile(join(home, "boxes", id, "logs/output.log"), "one\ntwo\n");
    await writeFile(join(home, "boxes", id, "logs/console.log"), "kernel\n");
    const printed = async (...flags: string[]) =>
      Buffer.from((await box("logs", "web", ...flags)).bytes ?? "").toString();
    expect(await printed()).toBe("one\ntwo\n");
    expect(await printed("--tail", "1")).toBe("two\n");
    expect(await printed("--tail", "all", "--console")).toBe("kernel\n");
    expect((await box("logs", "web", "--tail", "-1")).exitCode).toBe(2);
    expect((await box("logs", "none")).exitCode).toBe(3);
    expect((await box("kill", "web")).exitCode).toBe(4);
    expect((await box("kill", "web", "-s", "NONE")).exitCode).toBe(2);
  });

  test("a box that does not run has no files, ports, streams and figures", async () => {
    const { box, home } = await boxWithoutQemu();
    await writeFile(join(home, "f"), "content");
    for (const argv of [
      ["cp", join(home, "f"), "web:/"],
      ["cp", "web:/f", "-"],
      ["port", "web", "-p", "8080:80"],
      ["stats", "web"],
    ]) {
      const run = await box(...argv);
      expect([run.exitCode, run.stderr]).toEqual([4, expect.stringContaining("BOX_NOT_RUNNING")]);
    }
    const attached = await box("attach", "web");
    expect([attached.exitCode, attached.stderr]).toEqual([
      125,
      expect.stringContaining("BOX_NOT_RUNNING"),
    ]);
    expect(JSON.parse((await box("stats", "--format", "json")).stdout)).toEqual([]);
    expect((await box("port", "web", "-p", "0")).exitCode).toBe(2);
    expect((await box("cp", "a", "b")).exitCode).toBe(2);
    expect((await box("attach", "web", "--detach-keys", "ab")).exitCode).toBe(125);
  });

  test("doctor says what is missing", async () => {
    const { env } = await boxWithoutQemu();
    const run = await runBoxHere(["doctor"], { env: { ...env, BOX_KERNEL: "/no/kernel" } });
    expect(run.exitCode).toBe(9);
    expect(run.stdout).toContain("--  QEMU: there is no qemu-system-x86_64");
    expect(run.stdout).toContain("--  kernel and agent: there is no kernel /no/kernel");
    expect(run.stdout).toContain("boxes cannot be started");
  });

  test("an accelerator that is none is told", async () => {
    const { env } = await boxWithoutQemu();
    const run = await runBoxHere(["doctor"], { env: { ...env, BOX_ACCEL: "warp" } });
    expect(run.exitCode).toBe(2);
    expect(run.stderr).toContain("use one of: auto, kvm, tcg");
  });
});
