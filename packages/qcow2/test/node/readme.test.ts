import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as core from "@box/qcow2";
import * as node from "@box/qcow2/node";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/qemu.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

/** The examples of the README between two sentences, as one program. */
function examplesBetween(first: string, last: string): string {
  const part = readme.slice(readme.indexOf(first), readme.indexOf(last));
  expect(readme).toContain(first);
  expect(readme).toContain(last);
  return [...part.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code).join("");
}

test("the README's examples on whole files run with this package alone", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  const overlay = (backingName: string, backingFormat: "raw" | "qcow2") =>
    core.overlayBytes({ virtualSizeBytes: 65536, backingName, backingFormat });
  writeFileSync(at("old.ext4"), Buffer.alloc(65536, 1));
  writeFileSync(at("new.ext4"), Buffer.alloc(65536, 2));
  writeFileSync(at("top.qcow2"), overlay("old.ext4", "raw"));
  for (const name of ["disk.qcow2", "moved.qcow2"]) {
    await using image = await node.openFile(at(name), { mode: "create" });
    await core.createImage(image, { virtualSizeBytes: 65536 });
  }

  const code = examplesBetween("What works on whole files", "Refused with `QCOW2_UNSUPPORTED");
  const body = code.replace(/^import .*\n/gm, "").replaceAll("/images", folder.path);
  const names = { ...core, ...node };
  const run = new Function(
    ...Object.keys(names),
    `return (async () => { ${body}; return findings; })();`,
  ) as (...values: unknown[]) => Promise<readonly core.Finding[]>;
  await expect(run(...Object.values(names))).resolves.toEqual([]);

  await using copy = await node.openImageFile(at("copy.qcow2"));
  expect(copy.sizeBytes).toBe(65536);
  await using top = await node.openFile(at("top.qcow2"));
  expect(await core.inspectImage(top)).toMatchObject({
    refcountBits: 64,
    backing: { displayName: "moved.qcow2" },
  });
  // The disk was that of old.ext4 before; rebasing has kept it, and committing has given it to the last backing file.
  await using base = await node.openImageFile(at("moved.qcow2"));
  expect(await base.read(0, 65536)).toEqual(new Uint8Array(65536).fill(1));
});
