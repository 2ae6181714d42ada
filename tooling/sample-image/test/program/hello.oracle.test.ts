import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { release, tmpdir, type } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type Architecture, architectures, writeHello } from "@box/sample-image";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { foundTool, runTool } from "../found-tool.ts";

// Not needed for a complete run: the structure is tested without them.
const readelf = foundTool("readelf");
const shell = foundTool("sh") ?? "";
const native: Partial<Record<NodeJS.Architecture, Architecture>> = { x64: "amd64", arm64: "arm64" };
const own = process.platform === "linux" ? native[process.arch] : undefined;

/** What runs the program for each architecture: nothing but the kernel, or a user-mode emulator. */
const runners: Readonly<Record<Architecture, string | undefined>> = {
  amd64: own === "amd64" ? "" : foundTool("qemu-x86_64", "qemu-x86_64-static"),
  arm64: own === "arm64" ? "" : foundTool("qemu-aarch64", "qemu-aarch64-static"),
};

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "box-sample-"));
  for (const architecture of architectures) {
    await writeFile(join(folder, architecture), writeHello(architecture), { mode: 0o755 });
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const runnable = architectures.filter((architecture) => runners[architecture] !== undefined);

describe.each(runnable)("the program for %s", (architecture) => {
  const command = (): string => `${runners[architecture]} ${join(folder, architecture)}`;

  test("greets, names the kernel and ends with 0", () => {
    expect(runTool(shell, ["-c", command()])).toEqual({
      status: 0,
      stdout: `hello from box, running on ${type()} ${release()}\n`,
      stderr: "",
    });
  });

  test("ends with 1 when its output cannot be written", () => {
    expect(runTool(shell, ["-c", `${command()} >/dev/full`]).status).toBe(1);
    expect(runTool(shell, ["-c", `${command()} >&-`]).status).toBe(1);
  });
});

describe.each(readelf === undefined ? [] : architectures)("the program for %s", (architecture) => {
  test("is what readelf calls a static executable", () => {
    const { status, stdout, stderr } = runTool(readelf ?? "", [
      "--wide",
      "--file-header",
      "--program-headers",
      "--dynamic",
      join(folder, architecture),
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const machine = architecture === "amd64" ? "Advanced Micro Devices X86-64" : "AArch64";
    expect(stdout).toMatch(/Class: +ELF64\n/);
    expect(stdout).toMatch(/Type: +EXEC /);
    expect(stdout).toMatch(new RegExp(`Machine: +${machine}\n`));
    expect(stdout).toMatch(/Entry point address: +0x4000b0\n/);
    expect(stdout).toMatch(/^ +LOAD +0x0+ .* R E /m);
    expect(stdout).toMatch(/^ +GNU_STACK .* RW /m);
    expect(stdout).toContain("There is no dynamic section");
    expect(stdout).not.toContain("INTERP");
  });
});
