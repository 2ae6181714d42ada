import { describe, expect, test } from "vitest";
import { inputKey } from "../../src/command/define-command.ts";
import { checkInput, isPlainInput } from "../../src/command/input.ts";
import { commands } from "../../src/commands/table.ts";

const plainCommands = commands.filter(({ hasPlainInput }) => hasPlainInput === true);
const values = [true, false, "", "a", "never", 1, null, [], ["a"], [""], ["a", "b"], [1], [true]];

describe("isPlainInput", () => {
  test("is asked of box create, which many wait for", () => {
    expect(plainCommands.map(({ path }) => path.join(" "))).toEqual(["create"]);
  });

  test.each(plainCommands)(
    "takes of box $path only what its schema takes unchanged",
    async (spec) => {
      const { input } = await spec.schemas();
      const keys = [...spec.args, ...spec.flags].map(({ name }) => inputKey(name));
      const ref = { ref: "alpine" };
      let taken = 0;
      for (const key of [...keys, "other"]) {
        for (const value of values) {
          const raw = { ...ref, [key]: value };
          if (!isPlainInput(spec, raw)) continue;
          taken++;
          expect({ raw, data: input.safeParse(raw).data }).toEqual({ raw, data: raw });
        }
      }
      expect(taken).toBeGreaterThan(keys.length);
      // Every flag and argument can be taken so.
      const all = Object.fromEntries(
        [...spec.args, ...spec.flags].map((one) => {
          const text = one.choices?.[0] ?? "a";
          const isSwitch = spec.flags.some((flag) => flag === one && flag.value === undefined);
          return [inputKey(one.name), isSwitch ? true : one.many ? [text] : text];
        }),
      );
      expect(isPlainInput(spec, all)).toBe(true);
      expect(await checkInput(spec, all)).toBe(all);
    },
  );

  test("leaves the rest to the schema, which says what is wrong", async () => {
    const [spec] = plainCommands;
    if (spec === undefined) throw new Error("there is none");
    await expect(checkInput(spec, { ref: "" })).rejects.toMatchObject({
      code: "CLI_INVALID_ARGUMENT",
      message: expect.stringContaining("REF"),
    });
  });
});
