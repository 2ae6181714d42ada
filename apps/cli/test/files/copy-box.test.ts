import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Runtime } from "@box/runtime";
import { InProcessEngine } from "@box/vm/testing";
import { expect, onTestFinished, test } from "vitest";
import type { CommandContext } from "../../src/command/define-command.ts";
import { parseCopyEnds } from "../../src/files/copy-ends.ts";
import { copyIntoBox } from "../../src/files/copy-into-box.ts";
import { copyOutOfBox } from "../../src/files/copy-out-of-box.ts";
import { createTestHome } from "../support/boxed-home.ts";

/** A box that runs in a machine of the tests, and copies as the command makes them. */
async function copyBench() {
  const { folder, home, image } = await createTestHome();
  const runtime = await Runtime.open({ home, engine: new InProcessEngine() });
  onTestFinished(async () => {
    await runtime.boxes.stop("web", { graceMs: 0 });
    await runtime.close();
  });
  await runtime.boxes.create({ image, name: "web" });
  await runtime.boxes.start("web");
  const chunks: Uint8Array[] = [];
  const said: string[] = [];
  const copy = async (from: string, to: string, stdin: Uint8Array = new Uint8Array(0)) => {
    const { source, target } = parseCopyEnds(from, to);
    const context = {
      cwd: folder,
      signal: new AbortController().signal,
      limits: { copies: {} },
      stdin: async function* () {
        yield stdin;
      },
      progress: async () => ({ print: (text: string) => said.push(text) }),
      writeBytes: async (bytes: AsyncIterable<Uint8Array>) => {
        for await (const chunk of bytes) chunks.push(chunk);
        return true;
      },
    } as unknown as CommandContext;
    const options = { keepsOwners: false, follows: false };
    if (target.type === "box") await copyIntoBox(runtime, source, target, options, context);
    else if (source.type === "box") await copyOutOfBox(runtime, source, target, options, context);
  };
  return { copy, folder, chunks, said };
}

test("folders and files go into a box and come out of it, by their names or under others", async () => {
  const { copy, folder } = await copyBench();
  const at = (path: string) => join(folder, path);
  mkdirSync(at("site"));
  writeFileSync(at("site/index"), "hello");
  await copy("site", "web:/tmp");
  await copy("site/.", "web:/tmp");
  await copy("site", "web:/tmp/other");
  await copy("site/index", "web:/tmp/renamed");
  mkdirSync(at("out"));
  await copy("web:/tmp", "out");
  expect(readdirSync(at("out"), { recursive: true }).sort()).toEqual([
    "tmp",
    "tmp/index",
    "tmp/other",
    "tmp/other/index",
    "tmp/renamed",
    "tmp/site",
    "tmp/site/index",
  ]);
  expect(readFileSync(at("out/tmp/renamed"), "utf8")).toBe("hello");
  await copy("web:/tmp/site/.", "fresh");
  expect(readdirSync(at("fresh"))).toEqual(["index"]);
});

test("an archive goes out on the standard output and in on the standard input", async () => {
  const { copy, folder, chunks } = await copyBench();
  writeFileSync(join(folder, "f"), "content");
  await copy("f", "web:/tmp/d"); // a file named d
  await copy("web:/tmp/d", "-");
  await copy("-", "web:/", Buffer.concat(chunks));
  await copy("web:/d", "back");
  expect(readFileSync(join(folder, "back"), "utf8")).toBe("content");
});

test("what is not there, or is none, is told before anything is copied", async () => {
  const { copy, folder } = await copyBench();
  await expect(copy("none", "web:/tmp")).rejects.toMatchObject({ code: "CLI_NO_SUCH_PATH" });
  await expect(copy("web:/none", "x")).rejects.toMatchObject({ code: "CLI_NO_SUCH_PATH" });
  await expect(copy("web:/tmp", "no/folder")).rejects.toMatchObject({ code: "CLI_NO_SUCH_PATH" });
  await expect(copy("/dev/null", "web:/tmp")).rejects.toMatchObject({ code: "CLI_UNSUPPORTED" });
  writeFileSync(join(folder, "f"), "");
  await expect(copy("f", "web:/no/folder")).rejects.toMatchObject({ code: "VM_FILE_NOT_FOUND" });
  await expect(copy("web:/tmp", "f")).rejects.toMatchObject({ code: "CLI_INVALID_ARGUMENT" });
});
