import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchKernel, findKernel, readModules, unpackKernelPackage } from "@box/guest/boot";
import { hasTool } from "@box/test-support";
import { expect, onTestFinished, test } from "vitest";
import { sampleModules, writeTree } from "./sample-kernel.ts";

const release = "6.1.0-1-cloud-amd64";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "box-package-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function packageWith(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder();
  writeTree(join(folder, "tree"), {
    "DEBIAN/control":
      "Package: kernel\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.com>\nDescription: x\n",
    ...files,
  });
  const path = join(folder, "kernel.deb");
  execFileSync("dpkg-deb", ["--build", join(folder, "tree"), path], { stdio: "ignore" });
  return path;
}

const inModules = Object.fromEntries(
  Object.entries(sampleModules).map(([path, text]) => [`lib/modules/${release}/${path}`, text]),
);

test.skipIf(!hasTool("dpkg-deb"))(
  "a package gives its kernel and the modules of a guest",
  async () => {
    const path = packageWith({ [`boot/vmlinuz-${release}`]: "kernel", ...inModules });
    const directory = temporaryFolder();
    // Twice: an update of the same release replaces it.
    await unpackKernelPackage(path, { directory });
    const kernel = await unpackKernelPackage(path, { directory });
    expect(readFileSync(kernel.image, "utf8")).toBe("kernel");
    expect(await findKernel({ roots: [directory] })).toEqual(kernel);
    expect(await readModules(kernel.modulesDirectory)).toHaveLength(5);
    expect(readdirSync(join(kernel.modulesDirectory, "kernel/drivers")).sort()).toEqual([
      "block",
      "char",
      "virtio",
    ]);
    expect(readdirSync(directory).sort()).toEqual(["boot", "lib"]);
  },
);

test.skipIf(!hasTool("dpkg-deb"))(
  "what is no package of a kernel leaves nothing behind",
  async () => {
    const directory = temporaryFolder();
    writeTree(directory, { "not-a-package": "x" });
    const path = join(directory, "not-a-package");
    await expect(unpackKernelPackage(path, { directory })).rejects.toMatchObject({
      code: "GUEST_KERNEL_UNPACK_FAILED",
      kind: "io",
    });
    const empty = packageWith({ "etc/nothing": "" });
    await expect(unpackKernelPackage(empty, { directory })).rejects.toMatchObject({
      code: "GUEST_KERNEL_MISSING",
    });
    expect(readdirSync(directory)).toEqual(["not-a-package"]);
  },
);

test("fetching stops when it is told to", async () => {
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(fetchKernel({ directory: temporaryFolder(), signal })).rejects.toThrow("enough");
});
