import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { afterAll } from "vitest";

/** A program for child processes whose sources are bundled: reading hundreds of files would take most of their time. */
export interface BundledChild {
  /** What Node.js runs. */
  readonly script: string;
  /** Its environment: the compiled code is kept from child to child. */
  readonly env: NodeJS.ProcessEnv;
}

/** Bundles a program for the tests of a file, in a folder that is gone after them. */
export async function bundleChild(source: string): Promise<BundledChild> {
  const dir = await mkdtemp(join(tmpdir(), "box-child-"));
  afterAll(() => rm(dir, { recursive: true }));
  const bundle = await rolldown({
    input: { child: source },
    platform: "node",
    resolve: { conditionNames: ["@box/source", "node", "import", "default"] },
    checks: { ineffectiveDynamicImport: false },
  });
  await bundle.write({
    dir,
    format: "esm",
    entryFileNames: "[name].mjs",
    chunkFileNames: "[hash].mjs",
  });
  await bundle.close();
  const env = { ...process.env, NODE_COMPILE_CACHE: join(dir, "compiled") };
  return { script: join(dir, "child.mjs"), env };
}
