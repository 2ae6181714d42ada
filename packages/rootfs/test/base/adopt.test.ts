import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { adoptedBaseKey, type BaseEvent } from "@box/rootfs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeTestCache, type TestCache } from "./cache-folder.ts";

let folder: TestCache;
beforeEach(async () => {
  folder = await makeTestCache();
});
afterEach(() => folder.remove());

describe("adopt", () => {
  const bytes = new TextEncoder().encode("a base from elsewhere");
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const from = { digest, sizeBytes: bytes.byteLength, source: "test" };
  const fill = async (target: { write?(at: number, bytes: Uint8Array): Promise<void> }) =>
    target.write?.(0, bytes);

  test("takes a base under a key made from its content, once", async () => {
    const events: string[] = [];
    const onEvent = ({ name }: BaseEvent) => events.push(name);
    const disk = await folder.cache.adopt(from, fill, { onEvent });
    expect(disk).toMatchObject({ key: adoptedBaseKey(digest), digest, sizeBytes: 21 });
    expect(await readFile(disk.path)).toEqual(Buffer.from(bytes));
    expect((await stat(disk.path)).mode & 0o777).toBe(0o444);
    expect(await folder.cache.verify(disk.key)).toBe(true);
    const never = () => Promise.reject(new Error("it is there already"));
    expect(await folder.cache.adopt(from, never)).toEqual(disk);
    expect(await folder.cache.list()).toEqual([disk]);
    expect(events).toEqual(["base.built"]);
  });

  test("takes no other content, and leaves nothing of it", async () => {
    const wrong = folder.cache.adopt({ ...from, digest: `sha256:${"0".repeat(64)}` }, fill);
    await expect(wrong).rejects.toMatchObject({ code: "ROOTFS_BASE_DIGEST_MISMATCH" });
    expect(await readdir(folder.bases)).toEqual([]);
  });
});
