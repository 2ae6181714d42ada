import { CallBatch, Caller, readTree } from "@box/guest/calls";
import { expect, test } from "vitest";

const damaged = { code: "GUEST_PROTOCOL", kind: "corrupt" };

/** A guest that answers whatever it is asked with the same bytes. */
function callerOf(...answers: readonly Uint8Array[]): Caller {
  async function* output() {
    yield* answers;
  }
  return new Caller({ write: async () => {}, output: output() });
}

function result(value: number, bytes: Uint8Array = new Uint8Array(0)): Uint8Array {
  const head = Buffer.alloc(8);
  head.writeBigInt64LE(BigInt(value));
  return Buffer.concat([head, bytes]);
}

/** What `statx` gives. */
function status(mode: number): Uint8Array {
  const bytes = Buffer.alloc(256);
  bytes.writeUInt16LE(mode, 28);
  return bytes;
}

/** What `getdents64` gives. */
function entry(name: string, length = 24 + name.length): Uint8Array {
  const bytes = Buffer.alloc(24 + name.length);
  bytes.writeUInt16LE(length, 16);
  bytes.write(name, 19, "latin1");
  return bytes;
}

const folder = [
  result(0, status(0o040755)),
  result(-22),
  result(3),
  result(4),
  result(0, status(0o040755)),
];

function listing(bytes: Uint8Array): Uint8Array[] {
  return [
    ...folder,
    result(4),
    result(0, status(0o040755)),
    result(bytes.length, bytes),
    result(0),
  ];
}

async function readAll(caller: Caller): Promise<void> {
  for await (const _ of await readTree(caller, { path: "/x" }));
}

test.each([
  ["an entry that is longer than all", entry("a", 500)],
  ["an entry without length", entry("a", 0)],
  ["an entry without end", entry("abc", 22).subarray(0, 22)],
  ["an entry without a name", entry("")],
  ["an entry with a slash", entry("a/b")],
])("a folder's list with %s is refused", async (_, bytes) => {
  await expect(readAll(callerOf(...listing(bytes)))).rejects.toMatchObject(damaged);
});

test("a result that is larger than the memory is refused", async () => {
  const answers = [...folder, result(4), result(0, status(0o040755)), result(2 ** 40)];
  await expect(readAll(callerOf(...answers))).rejects.toMatchObject(damaged);
});

test("answers that end early are told, to those who wait behind them too", async () => {
  const caller = callerOf(result(0).subarray(0, 5));
  const batch = () => {
    const made = new CallBatch();
    made.call("close", [0]);
    return made;
  };
  const runs = [caller.run(batch()), caller.run(batch())];
  for (const run of runs) await expect(run).rejects.toThrow("it ended early");
  await expect(caller.run(batch())).rejects.toThrow("it ended early");
});

test("a file that turns into something else is told", async () => {
  const answers = [
    result(0, status(0o100644)),
    result(-22),
    result(3),
    result(4),
    result(0, status(0o010644)),
  ];
  await expect(readAll(callerOf(...answers))).rejects.toThrow("it changed");
});

test("a write of which only a part was done is told", async () => {
  const batch = new CallBatch();
  batch.call("write", [1, batch.data(Buffer.from("abc")), 3], { exactly: 3, what: "cannot write" });
  await expect(callerOf(result(2)).run(batch)).rejects.toThrow(
    "cannot write: only a part was done",
  );
});

test("a batch that is larger than the memory is none", () => {
  const batch = new CallBatch();
  batch.data(new Uint8Array(600_000));
  expect(() => batch.encode()).toThrow("too large");
});

test.each(["x", "/a\0b"])("%j is no path", async (path) => {
  await expect(readTree(callerOf(), { path })).rejects.toMatchObject({ failure: "invalid" });
});

test("a folder's list that never ends is refused before it fills the memory", async () => {
  const names = Array.from({ length: 700 }, (_, index) => entry(`file-${index}`));
  const chunk = Buffer.concat(names);
  let chunks = 0;
  async function* output() {
    yield* [...folder, result(4), result(0, status(0o040755))];
    for (; chunks < 5000; chunks++) yield result(chunk.length, chunk);
  }
  const caller = new Caller({ write: async () => {}, output: output() });
  await expect(readAll(caller)).rejects.toMatchObject({
    message: expect.stringContaining("there is too much in"),
  });
  expect(chunks * chunk.length).toBeLessThan(20 * 2 ** 20);
});
