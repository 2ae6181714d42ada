// The distribution project publishes a program of its own for this, written in Go. Neither npm nor Debian has a package of
// it, so it is not run here: the requirements below are written from the text of the specification.
import { FolderRegistryStorage, serveRegistry } from "@box/oras/registry-server";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";
import { RegistryUnderTest } from "./registry-under-test.ts";
import { requirements, titleOf } from "./requirements.ts";

/** Registries to look at: our own, and the one that the environment names, such as `http://127.0.0.1:5000`. */
const registries: Record<string, () => Promise<string>> = {
  "our registry in memory": async () => {
    const served = await serveRegistry();
    onTestFinished(() => served.close());
    return served.origin;
  },
  "our registry in a folder": async () => {
    const storage = await FolderRegistryStorage.open(await temporaryFolder(), Date.now());
    const served = await serveRegistry({ storage });
    onTestFinished(() => served.close());
    return served.origin;
  },
};
const given = process.env["BOX_CONFORMANCE_URL"];
if (given !== undefined) registries[given] = async () => given;

describe.each(Object.entries(registries))("%s", (_name, start) => {
  test.each(requirements.map((one) => [titleOf(one), one] as const))("%s", async (_title, one) => {
    await one.check(new RegistryUnderTest(await start()));
  });
});

describe("the requirements", () => {
  test("have names of their own", () => {
    const ids = requirements.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("cover every endpoint of the specification", () => {
    const endpoints = new Set(
      requirements.flatMap(({ section }) => section.match(/end-\d+[ab]?/g) ?? []),
    );
    expect([...endpoints].sort()).toEqual([
      ...["end-1", "end-10", "end-11", "end-12a", "end-12b", "end-13", "end-2", "end-3"],
      ...["end-4a", "end-4b", "end-5", "end-6", "end-7", "end-8a", "end-8b", "end-9"],
    ]);
  });
});
