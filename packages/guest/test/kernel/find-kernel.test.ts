import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findKernel } from "@box/guest/boot";
import { expect, onTestFinished, test } from "vitest";
import { writeTree } from "./sample-kernel.ts";

function rootWith(...releases: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), "box-kernels-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const release of releases) {
    writeTree(root, {
      [`boot/vmlinuz-${release}`]: "",
      [`lib/modules/${release}/modules.dep`]: "",
    });
  }
  return root;
}

test("the newest cloud kernel is found, numbers counted as numbers", async () => {
  const root = rootWith("6.1.0-9-cloud-amd64", "6.1.0-56-cloud-amd64", "6.12.0-1-amd64");
  expect(await findKernel({ roots: [rootWith(), root] })).toEqual({
    image: join(root, "boot/vmlinuz-6.1.0-56-cloud-amd64"),
    release: "6.1.0-56-cloud-amd64",
    modulesDirectory: join(root, "lib/modules/6.1.0-56-cloud-amd64"),
  });
});

test("a kernel without modules is passed over", async () => {
  const root = rootWith("6.1.0-9-cloud-amd64");
  writeTree(root, { "boot/vmlinuz-6.1.0-56-cloud-amd64": "" });
  expect((await findKernel({ roots: [root] })).release).toBe("6.1.0-9-cloud-amd64");
});

test("a kernel that is named has its modules beside it", async () => {
  const root = rootWith("6.12.0-1-amd64");
  const image = join(root, "boot/vmlinuz-6.12.0-1-amd64");
  expect(await findKernel({ image })).toEqual({
    image,
    release: "6.12.0-1-amd64",
    modulesDirectory: join(root, "lib/modules/6.12.0-1-amd64"),
  });
});

test("without one it says what to do", async () => {
  const root = rootWith();
  const failure = { code: "GUEST_KERNEL_MISSING", kind: "not-found" };
  const found = findKernel({ roots: [root] });
  await expect(found).rejects.toMatchObject({
    ...failure,
    hint: expect.stringContaining("install"),
  });
  await expect(findKernel({ image: join(root, "nope") })).rejects.toMatchObject(failure);
  writeTree(root, { "boot/vmlinuz-9.9.9-none": "" });
  const image = join(root, "boot/vmlinuz-9.9.9-none");
  await expect(findKernel({ image })).rejects.toMatchObject(failure);
});
