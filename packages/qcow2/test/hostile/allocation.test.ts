import { MemoryFile } from "@box/io";
import { Qcow2Error } from "@box/qcow2";
import { describe, expect, it } from "vitest";
import { looks } from "../support/look-at-image.ts";

/** A file of 1 KiB with a header that claims a table. */
function claiming(change: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(1024);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x514649fb);
  view.setUint32(4, 3);
  view.setUint32(20, 9);
  view.setBigUint64(24, 2n ** 20n);
  view.setUint32(36, 64);
  view.setBigUint64(40, 512n);
  view.setBigUint64(48, 512n);
  view.setUint32(56, 1);
  view.setUint32(96, 4);
  view.setUint32(100, 104);
  change(view);
  return bytes;
}

const claims: Readonly<Record<string, Uint8Array>> = {
  "an L1 table of 4 GiB": claiming((view) => view.setUint32(36, 2 ** 29)),
  "an L1 table of 32 MiB": claiming((view) => view.setUint32(36, 2 ** 22)),
  "a refcount table of 8 MiB": claiming((view) => view.setUint32(56, 2 ** 14)),
  "a refcount table of 2 TiB": claiming((view) => view.setUint32(56, 2 ** 32 - 1)),
  "65,536 snapshots": claiming((view) => {
    view.setUint32(60, 65536);
    view.setBigUint64(64, 512n);
  }),
  "a header extension of 4 GiB": claiming((view) => {
    view.setUint32(104, 0x12345678);
    view.setUint32(108, 2 ** 32 - 1);
  }),
  "a bitmap directory of 64 MiB": claiming((view) => {
    view.setBigUint64(88, 1n);
    view.setUint32(104, 0x23852875);
    view.setUint32(108, 24);
    view.setUint32(112, 65535);
    view.setBigUint64(120, 2n ** 26n);
    view.setBigUint64(128, 512n);
  }),
  "a disk of 8 EiB": claiming((view) => view.setBigUint64(24, 2n ** 63n)),
};

const kinds = [ArrayBuffer, Uint8Array, Uint16Array, Uint32Array, Float64Array] as const;

describe("a file of 1 KiB", () => {
  it.for(Object.entries(claims))("that claims %s costs no memory for it", async ([, bytes]) => {
    for (const [name, look] of Object.entries(looks)) {
      const allocated = await countAllocations(async () => {
        await look(new MemoryFile(bytes), {}).catch((error: unknown) => {
          if (!(error instanceof Qcow2Error)) throw error;
        });
      });
      expect(`${name}: ${allocated < 2 ** 20 ? "little" : allocated}`).toBe(`${name}: little`);
    }
  });

  it("is caught when it allocates: the count itself works", async () => {
    const allocated = await countAllocations(async () => {
      expect(new Float64Array(2 ** 20).length).toBe(2 ** 20);
    });
    expect(allocated).toBe(2 ** 23);
  });
});

/** Bytes of all typed arrays and buffers that are made from a length meanwhile. */
async function countAllocations(run: () => Promise<void>): Promise<number> {
  const scope = globalThis as unknown as Record<string, unknown>;
  let bytes = 0;
  for (const kind of kinds) {
    const size = "BYTES_PER_ELEMENT" in kind ? kind.BYTES_PER_ELEMENT : 1;
    scope[kind.name] = new Proxy(kind, {
      construct(target, args: unknown[], newTarget) {
        if (typeof args[0] === "number") bytes += args[0] * size;
        return Reflect.construct(target, args, newTarget === scope[kind.name] ? target : newTarget);
      },
    });
  }
  try {
    await run();
  } finally {
    for (const kind of kinds) scope[kind.name] = kind;
  }
  return bytes;
}
