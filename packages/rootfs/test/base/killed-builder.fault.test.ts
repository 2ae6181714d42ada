import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { resolveRecipe } from "@box/rootfs";
import { expect, onTestFinished, test } from "vitest";
import { cacheIn, makeTestCache, recipe, type TestCache } from "./cache-folder.ts";

const { key } = resolveRecipe(recipe);
const script = fileURLToPath(new URL("keep-states-in-child.ts", import.meta.url));

async function newCache(): Promise<TestCache> {
  const made = await makeTestCache();
  onTestFinished(() => made.remove());
  return made;
}

/** Runs a builder that dies, and gives the folders in which it would have died before each of its calls. */
async function statesOf(folder: TestCache, verb: "ensure" | "restore"): Promise<string[]> {
  const states = join((await newCache()).folder, "states");
  await mkdir(states);
  const args = ["--conditions=@box/source", "--no-warnings", script, folder.folder, states, verb];
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  expect(await once(child, "close")).toEqual([null, "SIGKILL"]);
  return (await readdir(states)).map((name) => join(states, name));
}

const namesIn = async (state: string, folder: string): Promise<string[]> =>
  (await readdir(join(state, folder)).catch(() => [])).sort();

test("a builder that is killed before any of its calls leaves what the next one heals", async () => {
  const whole = await newCache();
  const { digest } = await whole.cache.ensure(recipe);
  const states = await statesOf(await newCache(), "ensure");
  expect(states.length).toBeGreaterThan(25);
  let halfMade = 0;
  for (const state of states) {
    const cache = cacheIn(state);
    if ((await namesIn(state, "bases")).some((name) => name.startsWith(".tmp-"))) halfMade += 1;
    const before = await cache.verify(key);
    expect(before, state).not.toBe(false);
    expect((await cache.ensure(recipe)).digest, state).toBe(digest);
    expect(await cache.verify(key), state).toBe(true);
    expect(await namesIn(state, "bases"), state).toEqual([`${key}.ext4`, `${key}.json`]);
    // Who finds the base whole takes no lock, and has nothing to clear away.
    if (before) continue;
    expect(await namesIn(state, "locks"), state).toEqual(await namesIn(whole.folder, "locks"));
  }
  expect(halfMade).toBeGreaterThan(10);
}, 60_000);

test("one that is killed while it restores a damaged base keeps the damaged disk, and the next one restores", async () => {
  const folder = await newCache();
  const { digest, path } = await folder.cache.ensure(recipe);
  const damaged = await readFile(path);
  damaged[70_000] = (damaged[70_000] as number) ^ 1;
  await chmod(path, 0o600);
  await writeFile(path, damaged);
  const states = await statesOf(folder, "restore");
  expect(states.length).toBeGreaterThan(20);
  for (const state of states) {
    const kept = async (): Promise<Buffer[]> =>
      Promise.all(
        (await namesIn(state, "bases/quarantine")).map((name) =>
          readFile(join(state, "bases/quarantine", name)),
        ),
      );
    const all = [await readFile(join(state, `bases/${key}.ext4`)), ...(await kept())];
    expect(
      all.some((disk) => disk.equals(damaged)),
      state,
    ).toBe(true);
    const wasWhole = await cacheIn(state).verify(key);
    expect((await cacheIn(state).restore(recipe)).digest, state).toBe(digest);
    expect(
      (await kept()).every((disk) => disk.equals(damaged)),
      state,
    ).toBe(true);
    expect((await kept()).length, state).toBeGreaterThan(0);
    const names = [`${key}.ext4`, `${key}.json`, "quarantine"];
    // What was whole again lacked only the name of its new record; the next build clears that away.
    const found = (await namesIn(state, "bases")).filter(
      (name) => !wasWhole || names.includes(name),
    );
    expect(found, state).toEqual(names);
  }
}, 60_000);
