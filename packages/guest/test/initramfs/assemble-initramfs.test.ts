import { assembleInitramfs } from "@box/guest/boot";
import { expect, test } from "vitest";
import { buildCpio } from "../../src/initramfs/cpio.ts";

const text = (value: string) => new TextEncoder().encode(value);

test("an initramfs has the agent, the console, and the modules in their order", () => {
  const initramfs = assembleInitramfs({
    agent: text("agent"),
    modules: [
      { fileName: "b.ko", content: text("second letter") },
      { fileName: "a.ko", content: text("x") },
    ],
  });
  const entries = parseCpio(initramfs);
  const boot = entries.find(({ path }) => path === "boot")?.content ?? "";
  const places = ["/modules/b.ko\0", "/modules/a.ko\0"].map((path) => boot.indexOf(path));
  expect(places[0]).toBeGreaterThan(0);
  expect(places[1]).toBeGreaterThan(places[0] ?? 0);
  expect(entries.filter(({ path }) => path !== "boot" && path !== "end")).toEqual([
    { path: "dev", mode: 0o40755, inode: 1, device: [0, 0], content: "" },
    { path: "dev/console", mode: 0o20600, inode: 2, device: [5, 1], content: "" },
    { path: "init", mode: 0o100755, inode: 5, device: [0, 0], content: "agent" },
    { path: "modules", mode: 0o40755, inode: 6, device: [0, 0], content: "" },
    { path: "modules/b.ko", mode: 0o100644, inode: 7, device: [0, 0], content: "second letter" },
    { path: "modules/a.ko", mode: 0o100644, inode: 8, device: [0, 0], content: "x" },
  ]);
});

test("the same input gives the same bytes, another one others", () => {
  const made = (agent: string) => assembleInitramfs({ agent: text(agent), modules: [] });
  expect(made("a")).toEqual(made("a"));
  expect(made("a")).not.toEqual(made("b"));
});

test("names and contents of every length are padded to four bytes", () => {
  const entries = Array.from({ length: 9 }, (_, length) => ({
    path: "n".repeat(length + 1),
    mode: 0o100644,
    content: text("c".repeat(length)),
  }));
  const archive = buildCpio(entries);
  expect(archive.length % 4).toBe(0);
  expect(parseCpio(archive).map(({ path, content }) => [path.length, content.length])).toEqual(
    entries.map(({ path, content }) => [path.length, content.length]),
  );
});

/** A reader of its own, by the format's description. */
function parseCpio(archive: Uint8Array) {
  const bytes = Buffer.from(archive);
  const files = [];
  for (let at = 0; ; ) {
    expect(bytes.toString("latin1", at, at + 6)).toBe("070701");
    const field = (index: number) =>
      Number.parseInt(bytes.toString("latin1", at + 6 + index * 8, at + 14 + index * 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    expect([field(2), field(3), field(5), field(12)]).toEqual([0, 0, 0, 0]);
    const path = bytes.toString("utf8", at + 110, at + 110 + nameSize - 1);
    expect(bytes[at + 110 + nameSize - 1]).toBe(0);
    const start = Math.ceil((at + 110 + nameSize) / 4) * 4;
    const content = bytes.toString("utf8", start, start + size);
    if (path === "TRAILER!!!") return files;
    files.push({ path, mode: field(1), inode: field(0), device: [field(9), field(10)], content });
    at = Math.ceil((start + size) / 4) * 4;
  }
}
