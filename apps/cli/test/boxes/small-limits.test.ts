import { describe, expect, test } from "vitest";
import { createTestHome, filesBelow } from "../support/boxed-home.ts";
import { canRun } from "../support/spawn-box.ts";

const hasLimits = canRun("prlimit", "--nofile=64", "true");

describe.skipIf(!hasLimits)("under limits of the system (prlimit must be installed)", () => {
  // Node itself takes up to 1.8 GB of addresses, and aborts by chance with 1.5 GB.
  test.each(["--nofile=64", "--as=2500000000"])("a box is made with %s", async (limit) => {
    const { box, image } = await createTestHome();
    const made = await box(["create", image, "--name", "web", "--quiet"], {
      under: ["prlimit", limit],
    });
    expect(made).toMatchObject({ exitCode: 0, stdout: "web\n" });
    expect((await box(["prepare", "web", "--quiet"])).exitCode).toBe(0);
  });

  test.each(["--nofile=26", "--nofile=30"])(
    "%s is told as what it is, and left nothing",
    async (limit) => {
      const { box, image, home } = await createTestHome();
      const create = ["create", image, "--name", "web", "--quiet"];
      const refused = await box(create, { under: ["prlimit", limit] });
      expect(refused.stderr).toMatch(/^error\[(STATE|IO)_\w+\]: /);
      expect(refused.stderr).not.toContain("    at ");
      expect(refused.exitCode).toBe(6);
      expect((await filesBelow(home)).filter((name) => /\.tmp-|^boxes\//.test(name))).toEqual([]);
      expect(await box(create)).toMatchObject({ exitCode: 0, stdout: "web\n" });
    },
  );

  test("a box that is larger than any file may be is refused, and made once it may", async () => {
    const { box, image, home } = await createTestHome();
    const create = ["create", image, "--name", "web", "--quiet"];
    await box(["ls"]);
    const refused = await box(create, { under: ["prlimit", "--fsize=1000000"] });
    expect(refused.stderr).toMatch(/^error\[\w*NO_SPACE\]/);
    expect(refused.exitCode).toBe(6);
    const left = await filesBelow(home);
    expect(left.filter((name) => /\.tmp-|^boxes\/|^bases\//.test(name))).toEqual([]);
    expect(await box(create)).toMatchObject({ exitCode: 0, stdout: "web\n" });
  });
});

test("a box is made with 128 MiB for JavaScript", async () => {
  const { box, image } = await createTestHome();
  const env = { NODE_OPTIONS: "--max-old-space-size=128" };
  const made = await box(["create", image, "--name", "web", "--quiet"], { env });
  expect(made).toMatchObject({ exitCode: 0, stdout: "web\n" });
});
