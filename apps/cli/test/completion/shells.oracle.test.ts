import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { completionScript } from "../../src/completion/scripts.ts";
import { boxCommand, canRun } from "../support/spawn-box.ts";

let folder: string;
let env: Record<string, string>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "box-shells-"));
  const words = boxCommand([]).map((word) => `'${word}'`);
  writeFileSync(join(folder, "box"), `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  const { PATH } = process.env;
  env = { PATH: `${folder}:${PATH}`, HOME: folder };
  for (const shell of ["bash", "zsh", "fish"] as const) {
    writeFileSync(join(folder, `box.${shell}`), completionScript(shell));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const has = (shell: string) => canRun(shell, "-c", "exit 0");

const run = (shell: string, script: string) =>
  execFileSync(shell, ["-c", script], { env, cwd: folder, encoding: "utf8" }).trim().split("\n");

describe.skipIf(!has("bash"))("in bash", () => {
  const complete = (line: string) =>
    run(
      "bash",
      `source box.bash; COMP_LINE='${line}' COMP_POINT=${line.length} COMP_WORDBREAKS=' :='
       COMPREPLY=(); _box_complete; printf '%s\\n' "\${COMPREPLY[@]}"`,
    );

  test("offers commands, flags and values", () => {
    expect(complete("box versi")).toEqual(["version"]);
    expect(complete("box version --progr")).toEqual(["--progress"]);
    expect(complete("box --progress p")).toEqual(["plain"]);
    expect(complete("box completion ")).toEqual(["bash", "zsh", "fish"]);
  });

  test("offers folders for a flag that takes one", () => {
    writeFileSync(join(folder, "file"), "");
    execFileSync("mkdir", ["-p", join(folder, "folder")]);
    expect(complete("box --home fo")).toEqual(["folder"]);
  });
});

describe.skipIf(!has("fish"))("in fish", () => {
  test("offers commands with their summaries", () => {
    const found = run("fish", "source box.fish; complete -C 'box versi'");
    expect(found).toEqual(["version\tprint the version of box and of what it runs on"]);
  });
});

describe.skipIf(!has("zsh"))("in zsh", () => {
  test("offers commands with their summaries", () => {
    const script = `
      compdef() { :; }; _describe() { print -l -- "\${(@P)2}"; }
      source box.zsh; words=(box versi); CURRENT=2; _box`;
    expect(run("zsh", script)).toEqual(["version:print the version of box and of what it runs on"]);
  });
});
