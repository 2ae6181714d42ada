import { engineContract } from "@box/vm/testing";
import { describe, test } from "vitest";
import { fakeSubject } from "./fake-subject.ts";

describe("the engine of QEMU keeps the contract with a QEMU that is played", () => {
  test.each(engineContract)("$title", { timeout: 60_000 }, async ({ run }) => {
    await run(await fakeSubject());
  });
});
