import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { MessageChannel } from "node:worker_threads";
import { inflateRawSync } from "node:zlib";
import { blockingNodeCodec, nodeCodec, openWorkerCodec } from "@box/qcow2/node";
import { build } from "tsup";
import { describe, expect, it } from "vitest";
import { type CodecJob, serveCodecJobs } from "../../src/node/codec-worker.ts";
import { workerCodecOn } from "../../src/node/worker-codec.ts";
import { type CodecThread, WorkerPool } from "../../src/node/worker-pool.ts";
import { temporaryFolder } from "../support/qemu.ts";

const clusterSize = 65536;

/** Clusters that differ from each other, and compress. */
function clusters(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) =>
    new Uint8Array(clusterSize).map((_byte, at) =>
      at % 7 === 0 ? (at * (index + 3)) >> 5 : index,
    ),
  );
}

const whole = { outputBytes: clusterSize, allowsLonger: false };

describe("openWorkerCodec", () => {
  it.each(["zlib", "zstd"] as const)(
    "gives every cluster of a %s batch its own result",
    async (type) => {
      await using codec = openWorkerCodec({ threads: 2 });
      const plain = clusters(20);
      const packed = await Promise.all(plain.map((bytes) => codec.compress(type, bytes)));
      expect(packed).toEqual(
        await Promise.all(plain.map((bytes) => nodeCodec.compress(type, bytes))),
      );
      const back = await Promise.all(packed.map((bytes) => codec.decompress(type, bytes, whole)));
      expect(back).toEqual(plain);
    },
  );

  it("refuses a wrong cluster in a batch and only that one", async () => {
    await using codec = openWorkerCodec({ threads: 1 });
    const [first, second] = clusters(2) as [Uint8Array, Uint8Array];
    const packed = await Promise.all([first, second].map((bytes) => codec.compress("zlib", bytes)));
    const results = await Promise.allSettled([
      codec.decompress("zlib", packed[0] as Uint8Array, whole),
      codec.decompress("zlib", new Uint8Array(100).fill(255), whole),
      codec.decompress("zlib", (packed[1] as Uint8Array).subarray(0, 50), whole),
      codec.decompress("zlib", packed[1] as Uint8Array, whole),
    ]);
    expect(results[0]).toMatchObject({ value: first });
    expect(results[1]).toMatchObject({ reason: { code: "QCOW2_COMPRESSED_DATA_INVALID" } });
    expect(results[2]).toMatchObject({ reason: { code: "QCOW2_COMPRESSED_DATA_INVALID" } });
    expect(results[3]).toMatchObject({ value: second });
  });

  it.each([
    ["in threads", openWorkerCodec({ threads: 1 })],
    ["in the thread pool", nodeCodec],
    ["on the calling thread", blockingNodeCodec],
  ] as const)("puts what comes out into the room that it is given, %s", async (_where, codec) => {
    const [plain] = clusters(1) as [Uint8Array];
    for (const type of ["zlib", "zstd"] as const) {
      const room = new Uint8Array(2 * clusterSize);
      const packed = await codec.compress(type, plain, room.subarray(0, clusterSize));
      const into = room.subarray(clusterSize);
      const back = await codec.decompress(type, packed, { ...whole, into });
      expect([packed.buffer, back.buffer]).toEqual([room.buffer, room.buffer]);
      expect([packed.byteOffset, back.byteOffset]).toEqual([0, clusterSize]);
      expect(back).toEqual(plain);
      const small = await codec.compress(type, plain, room.subarray(0, 10));
      expect(await codec.decompress(type, small, whole)).toEqual(plain);
    }
  });

  it("compresses what grows by it, in threads too", async () => {
    await using codec = openWorkerCodec({ threads: 1 });
    // Grows by more than a kilobyte with the window of 4 KiB.
    const plain = randomBytes(2 ** 21);
    const packed = await codec.compress("zlib", plain);
    expect(packed.byteLength).toBeGreaterThan(plain.byteLength);
    expect(inflateRawSync(packed).equals(plain)).toBe(true);
  });

  it("frees at once what came out when it was put into a room", async () => {
    const [plain] = clusters(1) as [Uint8Array];
    const packed = await blockingNodeCodec.compress("zstd", plain);
    const into = new Uint8Array(clusterSize);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let count = 0; count < 300; count++) {
      await blockingNodeCodec.decompress("zstd", packed, { ...whole, into });
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(most).toBeLessThan(8 * clusterSize);
  });

  it("falls back to the thread pool for a job that cannot be sent, and works on", async () => {
    let isBroken = true;
    class PickyThread extends FakeThread {
      override postMessage(job: CodecJob): void {
        if (isBroken) throw new Error("it cannot be sent");
        super.postMessage(job);
      }
    }
    const thread = new PickyThread();
    const codec = workerCodecOn(new WorkerPool(1, () => thread));
    const [plain] = clusters(1) as [Uint8Array];
    expect(await codec.compress("zlib", plain)).toEqual(await nodeCodec.compress("zlib", plain));
    isBroken = false;
    const pending = codec.compress("zlib", plain);
    await Promise.resolve();
    const answer = { bytes: Uint8Array.of(1, 2, 3), lengths: [3], spent: new Uint8Array(1) };
    thread.tell("message", answer);
    expect(await pending).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("tells what a thread's call threw when it is no fault of the stream", async () => {
    const thread = new FakeThread();
    const codec = workerCodecOn(new WorkerPool(1, () => thread));
    const [plain] = clusters(1) as [Uint8Array];
    const packed = await nodeCodec.compress("zlib", plain);
    const answer = async (error: unknown, code?: string): Promise<unknown> => {
      const pending = codec.decompress("zlib", packed, whole);
      await Promise.resolve();
      const room = { bytes: new Uint8Array(1), spent: new Uint8Array(1) };
      thread.tell("message", { ...room, lengths: [-1], failures: [{ error, code }] });
      return pending;
    };
    await expect(answer(new RangeError("no memory"))).rejects.toThrow("no memory");
    await expect(answer("thrown")).rejects.toBe("thrown");
    expect(await answer(new Error("bad"), "Z_DATA_ERROR")).toEqual(plain);
  });

  it("waits for what is under way when it is closed, and works on without threads", async () => {
    const codec = openWorkerCodec({ threads: 1 });
    const [plain] = clusters(1) as [Uint8Array];
    const pending = codec.compress("zstd", plain);
    await codec.close();
    const packed = await pending;
    expect(await codec.decompress("zstd", packed, whole)).toEqual(plain);
    await codec.close();
  });

  it("works in Node's thread pool where no thread can be started", async () => {
    const codec = workerCodecOn(
      new WorkerPool(2, () => {
        throw new Error("no threads here");
      }),
    );
    const [plain] = clusters(1) as [Uint8Array];
    expect(await codec.compress("zlib", plain)).toEqual(await nodeCodec.compress("zlib", plain));
  });

  it("works in Node's thread pool when a thread ends", async () => {
    const threads: FakeThread[] = [];
    const pool = new WorkerPool(2, () => {
      const thread = new FakeThread();
      threads.push(thread);
      return thread;
    });
    const codec = workerCodecOn(pool);
    const plain = clusters(40);
    const packed = plain.map((bytes) => codec.compress("zlib", bytes));
    await Promise.resolve();
    expect(threads.map(({ sent }) => sent.length)).toEqual([2, 2]);
    threads[0]?.tell("exit", 1);
    expect(await Promise.all(packed)).toEqual(
      await Promise.all(plain.map((bytes) => nodeCodec.compress("zlib", bytes))),
    );
  });

  it("holds the process only while a thread works", async () => {
    const thread = new FakeThread();
    const codec = workerCodecOn(new WorkerPool(1, () => thread));
    const [plain] = clusters(1) as [Uint8Array];
    const pending = codec.compress("zlib", plain);
    await Promise.resolve();
    expect(thread.isReferenced).toBe(true);
    thread.tell("message", {
      bytes: Uint8Array.of(1, 2, 3),
      lengths: [3],
      spent: new Uint8Array(1),
    });
    expect(await pending).toEqual(Uint8Array.of(1, 2, 3));
    expect(thread.isReferenced).toBe(false);
  });

  it("holds the process until every thread has ended when it is closed", async () => {
    const threads = [new FakeThread(), new FakeThread()] as const;
    const starting = [...threads];
    const codec = workerCodecOn(new WorkerPool(2, () => starting.shift() ?? new FakeThread()));
    const pending = clusters(32).map((bytes) => codec.compress("zlib", bytes));
    await Promise.resolve();
    for (const thread of threads) {
      expect(thread.sent).toHaveLength(2);
      for (const { lengths, bytes } of thread.sent) {
        const ones = lengths.map(() => 1);
        thread.tell("message", { bytes: new Uint8Array(ones.length), lengths: ones, spent: bytes });
      }
    }
    await Promise.all(pending);
    await codec.close();
    threads[0].tell("exit", 1);
    expect(threads.map(({ isReferenced }) => isReferenced)).toEqual([true, true]);
  });
});

describe("the thread's program", () => {
  it("answers each job with all outputs and marks those that are refused", async () => {
    const { port1, port2 } = new MessageChannel();
    serveCodecJobs(port1);
    const answer = new Promise((resolve) => port2.once("message", resolve));
    const packed = await nodeCodec.compress("zlib", Uint8Array.of(1, 2, 3));
    const bytes = new Uint8Array([...packed, 255, 255, 255]);
    const lengths = [packed.length, 3];
    // Too small for what comes out.
    const room = new Uint8Array(2);
    port2.postMessage({ call: "inflateRawSync", options: {}, bytes, lengths, room });
    expect(await answer).toEqual({
      bytes: Uint8Array.of(1, 2, 3, 0, 0, 0),
      lengths: [3, -1],
      failures: [{ error: expect.any(Error), code: "Z_DATA_ERROR" }],
      spent: bytes,
    });
    port1.close();
  });

  it("survives bundling and minifying, and lets the process end", async () => {
    using folder = temporaryFolder();
    const script = join(folder.path, "script.ts");
    const entry = pathToFileURL(join(import.meta.dirname, "../../src/node/index.ts")).pathname;
    writeFileSync(
      script,
      `import { openWorkerCodec } from ${JSON.stringify(entry)};
       const codec = openWorkerCodec({ threads: 1 });
       const packed = await codec.compress("zstd", new Uint8Array(65536).fill(7));
       const plain = await codec.decompress("zstd", packed, { outputBytes: 65536, allowsLonger: false });
       console.log(plain.every((byte) => byte === 7), process.report.getReport().workers.length);
       if (process.argv[2] === "close") {
         await codec.close();
         console.log("closed");
       }`,
    );
    await build({
      entry: { script },
      format: ["esm"],
      platform: "node",
      target: "node22",
      config: false,
      silent: true,
      minify: true,
      noExternal: [/.*/],
      outDir: join(folder.path, "dist"),
      outExtension: () => ({ js: ".mjs" }),
      esbuildOptions: (options) => {
        options.conditions = ["@box/source"];
      },
    });
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [join(folder.path, "dist/script.mjs"), ...args]);
    // The thread was never ended: that the process ends at all is the point.
    expect((await run()).stdout).toBe("true 1\n");
    expect((await run("close")).stdout).toBe("true 1\nclosed\n");
  });
});

/** A thread that answers only what a test tells it to. */
class FakeThread implements CodecThread {
  readonly sent: CodecJob[] = [];
  isReferenced = true;
  readonly #listeners = new Map<string, (value: unknown) => void>();

  on(event: string, listener: (value: never) => void): this {
    this.#listeners.set(event, listener as (value: unknown) => void);
    return this;
  }

  tell(event: string, value: unknown): void {
    this.#listeners.get(event)?.(value);
  }

  postMessage(job: CodecJob): void {
    this.sent.push(job);
  }

  ref(): void {
    this.isReferenced = true;
  }

  unref(): void {
    this.isReferenced = false;
  }

  /** Node's holds the process until the thread has ended. */
  async terminate(): Promise<number> {
    this.ref();
    return 0;
  }
}
