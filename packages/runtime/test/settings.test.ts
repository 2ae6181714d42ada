import { describe, expect, test } from "vitest";
import { openTestRuntime } from "./test-home.ts";

describe("settings that are none are refused before anything is made:", () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, 1.5, 0, -1, 2 ** 53])(
    "a disk of %d bytes",
    async (diskSizeBytes) => {
      const { runtime } = await openTestRuntime();
      const refusal = { code: "BOX_SETTING_INVALID", details: { field: "diskSizeBytes" } };
      const made = runtime.boxes.create({ image: "app", name: "new", diskSizeBytes });
      await expect(made).rejects.toMatchObject(refusal);
      const { box } = await runtime.boxes.create({ image: "app", name: "web" });
      await expect(runtime.boxes.resize("web", diskSizeBytes)).rejects.toMatchObject(refusal);
      expect((await runtime.boxes.inspect("web")).operations).toHaveLength(box.operations.length);
    },
  );

  test.each([
    ["entrypoint", [""]],
    ["entrypoint", ["a\0b"]],
    ["entrypoint", ["a".repeat(200_000)]],
    ["stopSignal", "TERM"],
    ["stopSignal", "constructor"],
    ["hostname", ""],
    ["hostname", "-a"],
    ["hostname", "a b"],
    ["hostname", "a".repeat(64)],
    ["groups", [""]],
    ["groups", ["a\0"]],
    ["groups", Array(33).fill("1")],
  ])("%s %j", async (field, value) => {
    const { runtime } = await openTestRuntime();
    const made = runtime.boxes.create({ image: "app", run: { [field]: value } });
    await expect(made).rejects.toMatchObject({
      code: "BOX_SETTING_INVALID",
      details: { field },
    });
  });

  test("a restart policy that nobody knows, and a label that is no text", async () => {
    const { runtime } = await openTestRuntime();
    const run = { restart: { type: "sometimes" as never } };
    await expect(runtime.boxes.create({ image: "app", run })).rejects.toMatchObject({
      code: "BOX_SETTING_INVALID",
    });
    const labels = { size: 5 as never };
    await expect(runtime.boxes.create({ image: "app", labels })).rejects.toMatchObject({
      code: "BOX_LABEL_INVALID",
    });
    expect(await runtime.boxes.list()).toEqual([]);
  });
});
