import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { ensureBootFiles } from "@box/guest/boot";
import { expect, onTestFinished, test } from "vitest";
import { sampleBzImage, sampleElf, sampleModules, writeTree } from "../kernel/sample-kernel.ts";

function kernelIn(image: Uint8Array) {
  const folder = mkdtempSync(join(tmpdir(), "box-boot-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeTree(folder, { image, agent: "agent" });
  writeTree(join(folder, "modules"), sampleModules);
  return {
    cacheDirectory: join(folder, "cache"),
    kernel: {
      image: join(folder, "image"),
      release: "6.1",
      modulesDirectory: join(folder, "modules"),
    },
    agent: join(folder, "agent"),
  };
}

const elf = sampleElf();

test("boot files are made once, and are others for another agent", async () => {
  const options = kernelIn(sampleBzImage(gzipSync(elf), elf.length));
  const files = await ensureBootFiles(options);
  expect(readFileSync(files.kernel).equals(elf)).toBe(true);
  expect(readFileSync(files.initrd, "latin1")).toContain("070701");
  expect(await ensureBootFiles(options)).toEqual(files);
  expect(readdirSync(options.cacheDirectory)).toHaveLength(3);
  writeTree(options.agent.slice(0, -"agent".length), { agent: "other" });
  const others = await ensureBootFiles(options);
  expect(others.digest).not.toBe(files.digest);
  expect(others.kernel).toBe(files.kernel);
});

test("a kernel that cannot be unpacked is booted as it is", async () => {
  const options = kernelIn(sampleBzImage(Buffer.from("fd377a585a000000", "hex"), 100));
  const files = await ensureBootFiles(options);
  expect(files.kernel).toBe(options.kernel.image);
  expect(files.release).toBe("6.1");
});

test("a guest with a network card has its driver, and what that needs, in its initramfs", async () => {
  const options = kernelIn(sampleBzImage(gzipSync(elf), elf.length));
  const files = await ensureBootFiles(options);
  const network = await ensureBootFiles({ ...options, hasNetwork: true });
  expect(network.kernel).toBe(files.kernel);
  expect(network.digest).not.toBe(files.digest);
  const [without = "", initrd = ""] = [files, network].map((each) =>
    readFileSync(each.initrd, "latin1"),
  );
  expect(without).not.toContain("net_failover");
  const places = ["net_failover.ko", "virtio_net.ko"].map((name) =>
    initrd.indexOf(`/modules/${name}\0`),
  );
  expect(places[0]).toBeGreaterThan(0);
  expect(places[1]).toBeGreaterThan(places[0] ?? 0);
  expect(await ensureBootFiles(options)).toEqual(files);
});

test("what is missing or unreadable in the cache is made again", async () => {
  const options = kernelIn(sampleBzImage(gzipSync(elf), elf.length));
  const files = await ensureBootFiles(options);
  rmSync(files.kernel);
  expect(await ensureBootFiles(options)).toEqual(files);
  expect(readFileSync(files.kernel).equals(elf)).toBe(true);
  const [note] = readdirSync(options.cacheDirectory).filter((name) => name.endsWith(".json"));
  writeTree(options.cacheDirectory, { [note ?? ""]: "{" });
  expect(await ensureBootFiles(options)).toEqual(files);
});

test("another kernel of the same name gives other boot files", async () => {
  const options = kernelIn(sampleBzImage(gzipSync(elf), elf.length));
  const files = await ensureBootFiles(options);
  const other = Buffer.concat([elf, Buffer.from("other")]);
  writeTree(dirname(options.kernel.image), { image: sampleBzImage(gzipSync(other), other.length) });
  const others = await ensureBootFiles(options);
  expect(others.digest).not.toBe(files.digest);
  expect(readFileSync(others.kernel).equals(other)).toBe(true);
});
