import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { readModules } from "@box/guest/boot";
import { expect, onTestFinished, test } from "vitest";
import { sampleModules, writeTree } from "./sample-kernel.ts";

function folderWith(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(tmpdir(), "box-modules-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeTree(folder, files);
  return folder;
}

const names = (modules: readonly { readonly fileName: string }[]) =>
  modules.map(({ fileName }) => fileName);

const inOrder = [
  "virtio_ring.ko",
  "virtio.ko",
  "virtio_pci.ko",
  "virtio_console.ko",
  "virtio_blk.ko",
];

test("without modules.dep the modules themselves tell what they need", async () => {
  const modules = await readModules(folderWith(sampleModules));
  expect(names(modules)).toEqual(inOrder);
  expect(Buffer.from(modules[0]?.content ?? []).toString()).toContain("ring");
});

test("modules.dep tells it where it is, for packed modules too", async () => {
  const folder = folderWith({
    "modules.builtin": "kernel/fs/ext4/ext4.ko\n",
    "modules.dep": [
      "kernel/virtio_blk.ko.gz: kernel/virtio_ring.ko.zst kernel/virtio.ko",
      "kernel/virtio-console.ko: kernel/virtio.ko",
      "kernel/virtio.ko: kernel/virtio_ring.ko.zst",
      "kernel/virtio_ring.ko.zst:",
      "",
    ].join("\n"),
    "kernel/virtio_blk.ko.gz": gzipSync("blk"),
    "kernel/virtio-console.ko": "console",
    "kernel/virtio.ko": "virtio",
    "kernel/virtio_ring.ko.zst": zstdCompressSync(Buffer.from("ring")),
  });
  const modules = await readModules(folder);
  expect(
    modules.map(({ fileName, content }) => [fileName, Buffer.from(content).toString()]),
  ).toEqual([
    ["virtio_ring.ko", "ring"],
    ["virtio.ko", "virtio"],
    ["virtio-console.ko", "console"],
    ["virtio_blk.ko", "blk"],
  ]);
});

test("other modules can be asked for", async () => {
  const wanted = { required: ["other"], optional: ["virtio-pci", "missing"] };
  const modules = await readModules(folderWith(sampleModules), wanted);
  expect(names(modules)).toEqual(["virtio_ring.ko", "virtio.ko", "virtio_pci.ko", "other.ko"]);
});

test("a module that is neither there nor built in is named", async () => {
  const folder = folderWith({ ...sampleModules, "modules.builtin": "" });
  await expect(readModules(folder)).rejects.toMatchObject({
    code: "GUEST_KERNEL_MISSING",
    kind: "not-found",
    details: { module: "ext4" },
  });
});

test.each<[string, Record<string, string | Uint8Array>, string]>([
  ["a folder without lists", {}, "GUEST_KERNEL_MISSING"],
  ["a module without its file", { "modules.dep": "kernel/a.ko:\n" }, "GUEST_KERNEL_MISSING"],
  ["a module packed with xz", { "modules.dep": "kernel/a.ko.xz:\n" }, "GUEST_KERNEL_UNSUPPORTED"],
  ["a circle", { "modules.dep": "b.ko: a.ko\na.ko: b.ko\n" }, "GUEST_KERNEL_INVALID"],
  ["a line without a colon", { "modules.dep": "a.ko\n" }, "GUEST_KERNEL_INVALID"],
  ["a path that leads out", { "modules.dep": "../a.ko:\n" }, "GUEST_KERNEL_INVALID"],
  [
    "a packed module that is damaged",
    { "modules.dep": "a.ko.gz:\n", "a.ko.gz": "x" },
    "GUEST_KERNEL_INVALID",
  ],
])("%s is refused", async (_, files, code) => {
  const folder = folderWith(files);
  const reading = readModules(folder, { required: ["a"], optional: [] });
  await expect(reading).rejects.toMatchObject({ code });
});
