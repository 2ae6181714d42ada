import { constants } from "node:fs";
import { type FileSystem, nodeFileSystem } from "@box/io/node";
import { expect } from "vitest";

const block = 4096;

/** Whether there are direct transfers. */
export const isLinux: boolean = constants.O_DIRECT !== undefined;
/** What the direct transfers of a test come to where there are none. */
export const direct: "direct" | "usual" = isLinux ? "direct" : "usual";

/**
 * A file system that tells of transfers which handle has them, before and after. It opens no file for real direct transfers, so that
 * it does the same everywhere.
 */
export function tellingFileSystem(
  before: (transfer: string) => void,
  after: (transfer: string) => void = () => {},
): FileSystem {
  return {
    ...nodeFileSystem,
    open: async (path, flags, mode) => {
      const isDirect = isLinux && (flags & constants.O_DIRECT) !== 0;
      const handle = await nodeFileSystem.open(path, flags & ~(constants.O_DIRECT ?? 0), mode);
      const told = (kind: "read" | "write") => async (bytes: Uint8Array, position: number) => {
        const transfer = `${isDirect ? "direct" : "usual"} ${kind}`;
        if (isDirect) expect([position % block, bytes.byteLength % block]).toEqual([0, 0]);
        before(transfer);
        const done = await handle[kind](bytes, position);
        after(transfer);
        return done;
      };
      return { ...handle, read: told("read"), write: told("write") };
    },
  };
}
