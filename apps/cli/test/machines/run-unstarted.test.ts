import { expect, test } from "vitest";
import { createTestHome } from "../support/boxed-home.ts";

test.each([
  { flags: ["--rm"], left: [] },
  { flags: [], left: ["once"] },
])("a box of box run $flags that cannot be started: $left is left", async ({ flags, left }) => {
  const { box, folder, image } = await createTestHome();
  // Nothing that machines need is found here.
  const env = { PATH: folder, TMPDIR: folder };
  const run = await box(["run", ...flags, "--name", "once", image], { env });
  expect(run).toMatchObject({ exitCode: 125 });
  expect(run.stderr).toContain("error[");
  const names = await box(["ls", "-q"]);
  expect(names.stdout.split("\n").filter((line) => line !== "")).toEqual(left);
});
