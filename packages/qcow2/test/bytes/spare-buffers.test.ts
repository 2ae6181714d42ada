import { describe, expect, it } from "vitest";
import { allDone } from "../../src/bytes/all-done.ts";
import { SpareBuffers } from "../../src/bytes/spare-buffers.ts";

describe("SpareBuffers", () => {
  it("gives memory out again that came back, and never to two at a time", () => {
    const spare = new SpareBuffers(2 ** 20);
    const first = spare.take(100_000);
    const second = spare.take(100_000);
    expect(first.buffer).not.toBe(second.buffer);
    expect(first.byteLength).toBe(100_000);
    spare.give(first);
    const again = spare.take(5);
    expect([again.buffer, again.byteLength]).toEqual([first.buffer, 5]);
    expect(spare.take(5).buffer).not.toBe(first.buffer);
  });

  it("gives no buffer out that is too small", () => {
    const spare = new SpareBuffers(2 ** 20);
    const small = spare.take(1);
    spare.give(small);
    expect(spare.take(70_000).byteLength).toBe(70_000);
  });

  it("keeps no more than it may, and nothing that is somebody else's", () => {
    const spare = new SpareBuffers(2 ** 17);
    const large = spare.take(2 ** 18);
    spare.give(large);
    expect(spare.take(2 ** 18).buffer).not.toBe(large.buffer);
    const moved = spare.take(1);
    moved.buffer.transfer();
    spare.give(moved);
    expect(spare.take(0).buffer).not.toBe(moved.buffer);
    spare.give(new Uint8Array(new SharedArrayBuffer(2 ** 16)));
    expect(spare.take(1).buffer).toBeInstanceOf(ArrayBuffer);
  });
});

describe("allDone", () => {
  it("fails as the first that failed, once nothing runs any more", async () => {
    let isDone = false;
    const slow = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      isDone = true;
    });
    await expect(allDone([Promise.reject(new Error("no")), slow])).rejects.toThrow("no");
    expect(isDone).toBe(true);
    expect(await allDone([Promise.resolve(1), Promise.resolve(2)])).toEqual([1, 2]);
  });
});
