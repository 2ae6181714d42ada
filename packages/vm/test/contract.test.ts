import { engineContract } from "@box/vm/testing";
import { describe, expect, test } from "vitest";
import { inProcessSubject } from "./subject.ts";

describe("the in-process engine keeps the contract", () => {
  test.each(engineContract)("$title", async ({ run }) => {
    await run(inProcessSubject());
  });

  test("whose cases all have titles of their own", () => {
    const titles = new Set(engineContract.map(({ title }) => title));
    expect(titles.size).toBe(engineContract.length);
  });
});
