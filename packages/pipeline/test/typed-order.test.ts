import {
  defineGraph,
  definePlan,
  defineTask,
  type InOrder,
  type Key,
  key,
  type MissingInput,
  runPlan,
} from "@box/pipeline";
import { describe, expect, expectTypeOf, test } from "vitest";

interface Layout {
  readonly root: string;
}
const box: Key<"box", string> = key("box");
const layout: Key<"layout", Layout> = key("layout", { from: "filesystem" });
const disk: Key<"disk", number> = key("disk");
const wrongDisk: Key<"disk", string> = key("disk");

const setup = defineTask({
  name: "filesystem_setup",
  label: "filesystem",
  needs: [box],
  provides: [layout],
  run: ({ box }) => {
    expectTypeOf(box).toEqualTypeOf<string>();
    return { layout: { root: box } };
  },
});
const prepare = defineTask({
  name: "prepare",
  needs: [layout],
  provides: [disk],
  run: async ({ layout }) => ({ disk: layout.root.length }),
});
const report = defineTask({ name: "report", needs: [wrongDisk], run: () => undefined });

describe("the compiler", () => {
  test("accepts tasks whose inputs come from the plan or an earlier stage, and types the values", async () => {
    const plan = definePlan({ name: "p", inputs: [box] })
      .stage([setup])
      .stage([prepare]);
    const { values } = await runPlan(plan, { inputs: { box: "abc" } });
    expectTypeOf(values.disk).toEqualTypeOf<number>();
    expectTypeOf(values.layout).toEqualTypeOf<Layout>();
    expect(values).toEqual({ box: "abc", layout: { root: "abc" }, disk: 3 });
  });

  test("refuses a task before its input exists", () => {
    type Stage = InOrder<[typeof prepare], typeof box>;
    expectTypeOf<Stage>().toEqualTypeOf<readonly [MissingInput<"layout">]>();
    expectTypeOf<typeof prepare>().not.toExtend<MissingInput<"layout">>();
  });

  test("refuses a task beside the one that provides its input", () => {
    type Stage = InOrder<[typeof setup, typeof prepare], typeof box>;
    expectTypeOf<Stage>().toEqualTypeOf<readonly [typeof setup, MissingInput<"layout">]>();
  });

  test("refuses a value of another type under the same name", () => {
    type Stage = InOrder<[typeof report], typeof box | typeof disk>;
    expectTypeOf<Stage>().toEqualTypeOf<readonly [MissingInput<"disk">]>();
  });

  test("accepts the tasks of a graph in any order", async () => {
    const plan = defineGraph({ name: "g", inputs: [box], tasks: [prepare, setup] });
    const { values } = await runPlan(plan, { inputs: { box: "ab" } });
    expectTypeOf(values.disk).toEqualTypeOf<number>();
    expect(values.disk).toBe(2);
  });

  test("asks for the plan's inputs, and for nothing when there are none", () => {
    const withInputs = definePlan({ name: "p", inputs: [box] });
    const without = definePlan({ name: "p" });
    expectTypeOf(runPlan<typeof box, typeof box, never>)
      .parameter(1)
      .toHaveProperty("inputs")
      .toEqualTypeOf<{ readonly box: string }>();
    expectTypeOf(withInputs.inputs).toEqualTypeOf<readonly Key<"box", string>[]>();
    expectTypeOf(without.inputs).toEqualTypeOf<readonly never[]>();
  });
});
