import { MemoryFile, type RandomAccess } from "@box/io";
import { type OpenImageOptions, Qcow2Error } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { wholeImage } from "../../fixtures/boundary/whole-image.ts";
import { bitmapImage, extendedL2Image, snapshotImage } from "../../fixtures/features.ts";
import { looks } from "../support/look-at-image.ts";

const images: Readonly<Record<string, Uint8Array>> = {
  "one of everything": wholeImage(),
  subclusters: extendedL2Image(),
  "a snapshot": snapshotImage(),
  "a bitmap": bitmapImage(),
};

type Call = "size" | "read";

/** A source whose calls are counted; `onCall` may throw, or say that a read is to be cut short. */
function intercepted(
  bytes: Uint8Array,
  onCall: (call: Call, number: number) => "short" | undefined,
): RandomAccess {
  const file = new MemoryFile(bytes);
  let calls = 0;
  return {
    size: async () => {
      onCall("size", ++calls);
      return file.size();
    },
    read: async (offset, length, into) => {
      const isShort = onCall("read", ++calls) === "short";
      return file.read(offset, isShort ? Math.floor(length / 2) : length, into);
    },
  };
}

function optionsFor(onCall: Parameters<typeof intercepted>[1], signal?: AbortSignal) {
  const backing = async () => ({
    source: intercepted(new Uint8Array(65536), onCall),
    format: "raw" as const,
  });
  const options: OpenImageOptions = { backing, ...(signal && { signal }) };
  return options;
}

const cases = Object.entries(images).flatMap(([image, bytes]) =>
  Object.entries(looks).map(([name, look]) => ({ image, bytes, name, look })),
);

describe.for(cases)("$name of an image with $image", ({ bytes, look }) => {
  it("fails as io, never as corrupt, whichever call fails", async () => {
    const calls = await countCalls(bytes, look);
    for (let failing = 1; failing <= calls; failing++) {
      let number = 0;
      const onCall = () => {
        if (++number === failing) {
          throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
        }
        return undefined;
      };
      const error = await errorOf(look(intercepted(bytes, onCall), optionsFor(onCall)));
      expect(`call ${failing}: ${error?.code} ${error?.kind}`).toBe(`call ${failing}: QCOW2_IO io`);
    }
  });

  it("comes to the same when the storage cuts any one read short, and asks once more", async () => {
    const calls = await countCalls(bytes, look);
    for (let failing = 1; failing <= calls; failing++) {
      let number = 0;
      const onCall = () => (++number === failing ? ("short" as const) : undefined);
      expect(await errorOf(look(intercepted(bytes, onCall), optionsFor(onCall)))).toBeUndefined();
    }
  });

  it("fails as io when the storage leaves bytes out for good", async () => {
    const calls = await countCalls(bytes, look);
    for (let failing = 1; failing <= calls; failing++) {
      let number = 0;
      let isLeftOut = false;
      const file = new MemoryFile(bytes);
      const source: RandomAccess = {
        size: () => {
          number++;
          return file.size();
        },
        read: async (offset, length, into) => {
          if (++number < failing) return file.read(offset, length, into);
          isLeftOut ||= (await file.read(offset, length)).byteLength > 0;
          return new Uint8Array(0);
        },
      };
      const options = optionsFor(() => undefined);
      const error = await errorOf(look(source, options));
      // Only reads that have bytes can be without them; which those are does not depend on the test.
      expect(`call ${failing}: ${error?.code}`).toBe(
        `call ${failing}: ${isLeftOut ? "QCOW2_SHORT_READ" : undefined}`,
      );
    }
  });

  it("ends as aborted when its caller gives up, at whichever call", async () => {
    const calls = await countCalls(bytes, look);
    for (let at = 1; at < calls; at++) {
      const abort = new AbortController();
      let number = 0;
      const onCall = () => {
        if (++number === at) abort.abort();
        return undefined;
      };
      const options = optionsFor(onCall, abort.signal);
      const error = await errorOf(look(intercepted(bytes, onCall), options));
      expect(`call ${at}: ${error?.kind}`).toBe(`call ${at}: aborted`);
    }
  });
});

async function countCalls(bytes: Uint8Array, look: (typeof looks)[string]): Promise<number> {
  let calls = 0;
  const onCall = () => {
    calls++;
    return undefined;
  };
  await look(intercepted(bytes, onCall), optionsFor(onCall));
  return calls;
}

async function errorOf(run: Promise<unknown>): Promise<Qcow2Error | undefined> {
  try {
    await run;
    return undefined;
  } catch (error) {
    if (error instanceof Qcow2Error) return error;
    throw error;
  }
}
