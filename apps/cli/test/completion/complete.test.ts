import { expect, test } from "vitest";
import { commands } from "../../src/commands/table.ts";
import { completeWords, type LoadValues } from "../../src/completion/complete.ts";
import { runBoxHere } from "../support/run-box.ts";

const load: LoadValues = async (source) =>
  source === "codes"
    ? [
        { value: "IO_FAILED", summary: "io" },
        { value: "CLI_USAGE", summary: "" },
      ]
    : [];

const complete = async (...words: string[]) => {
  const { candidates, files } = await completeWords(words, commands, load);
  return files === "none" ? candidates.map((candidate) => candidate.value) : files;
};

test("offers commands that start with what is typed", async () => {
  expect(await complete("ver")).toEqual(["verify", "version"]);
  expect(await complete("--home", "/h", "ver")).toEqual(["verify", "version"]);
});

test("never offers a hidden command", async () => {
  expect(await complete("complete")).toEqual([]);
  expect(await complete("")).not.toContain("complete-words");
});

test("offers flags once a dash is typed, of the command and global ones", async () => {
  expect(await complete("version", "--pro")).toEqual(["--progress"]);
  expect(await complete("--ho")).toEqual(["--home"]);
  expect(await complete("explain", "--", "--pro")).toEqual([]);
});

test("offers the values of a flag and of an argument", async () => {
  expect(await complete("--progress", "p")).toEqual(["plain"]);
  expect(await complete("completion", "")).toEqual(["bash", "zsh", "fish"]);
  expect(await complete("version", "--format", "")).toEqual(["text", "json"]);
  expect(await complete("explain", "IO")).toEqual(["IO_FAILED"]);
  expect(await complete("help", "expl")).toEqual(["explain"]);
});

test("leaves folders to the shell", async () => {
  expect(await complete("--home", "")).toBe("directories");
});

test("offers nothing where nothing more fits", async () => {
  expect(await complete("version", "")).toEqual([]);
  expect(await complete("nonsense", "")).toEqual([]);
  expect(await complete("--insecure", "")).toEqual([]);
});

test("prints candidates with their summaries, and a directive first", async () => {
  expect((await runBoxHere(["complete-words", "--", "versi"])).stdout).toBe(
    "version\tprint the version of box and of what it runs on\n",
  );
  expect((await runBoxHere(["complete-words", "--", "--home", ""])).stdout).toBe(":directories\n");
  expect((await runBoxHere(["complete-words"])).stdout).toContain("explain\t");
});

test("offers real error codes", async () => {
  const { stdout } = await runBoxHere(["complete-words", "--", "explain", "IO_SYN"]);
  expect(stdout).toBe("IO_SYNC_FAILED\tio\n");
});
