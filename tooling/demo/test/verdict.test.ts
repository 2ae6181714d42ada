import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { askTool } from "../src/verdict.ts";
import { temporaryFolder } from "./temporary-folder.ts";

async function toolOf(script: string): Promise<string> {
  const folder = await temporaryFolder();
  await writeFile(join(folder, "judge"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return `/nowhere::${folder}`;
}

describe("askTool", () => {
  test("takes 0 for good and shows what was printed, without empty lines", async () => {
    const path = await toolOf('echo "$1"; echo; echo fine >&2');
    expect(askTool("judge", ["disk.qcow2"], path)).toEqual({
      command: "judge disk.qcow2",
      isGood: true,
      lines: ["disk.qcow2", "fine"],
    });
  });

  test("takes anything else for bad", async () => {
    expect(askTool("judge", [], await toolOf("echo broken; exit 4"))).toMatchObject({
      isGood: false,
      lines: ["broken"],
    });
    expect(askTool("judge", [], await toolOf("kill -9 $$")).isGood).toBe(false);
  });

  test("has no opinion when the tool is not installed", async () => {
    expect(askTool("judge", ["x"], await temporaryFolder())).toEqual({
      command: "judge x",
      isGood: undefined,
      lines: [],
    });
  });
});
