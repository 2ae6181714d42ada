import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createTestHome } from "../support/boxed-home.ts";
import { spawnBox } from "../support/spawn-box.ts";

test.each([
  ["200 folders deep", Array.from({ length: 200 }, () => "a").join("/")],
  ["with spaces, quotes and a line break", "a \"b' \n$(c)"],
])("a home %s works", async (_what, name) => {
  const { folder, image } = await createTestHome();
  const under = ["--home", join(folder, name)];
  for (const words of [
    ["create", image, "--name", "web"],
    ["prepare", "web"],
    ["rm", "web"],
  ]) {
    expect(await spawnBox([...under, ...words, "--quiet"])).toMatchObject({
      exitCode: 0,
      stdout: "web\n",
    });
  }
});

test.each(["ls", "create"])("a home whose path is not UTF-8 is refused by %s", async (verb) => {
  const { home, image } = await createTestHome();
  await mkdir(home, { mode: 0o700 });
  const words = verb === "create" ? [verb, image, "--name", "web"] : [verb];
  // Only a shell hands a byte over that is no text.
  const script = `home="$1/$(printf '\\377')"; shift; exec "$@" --home "$home"`;
  const run = await spawnBox(words, { under: ["sh", "-c", script, "sh", home] });
  expect(run.stderr).toContain("error[CLI_INVALID_ARGUMENT]");
  expect(run.exitCode).toBe(2);
  expect(await readdir(home)).toEqual([]);
});
