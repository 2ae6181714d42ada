import { SourceReader, toSourceError } from "../bytes/source-reader.ts";
import type { ChainGuard } from "../chain/chain-guard.ts";
import { closeAll, closeInOrder, closeUnused } from "../chain/closing.ts";
import { type OpenedImage, type OpenPartsOptions, openParts, placed } from "../chain/open-image.ts";
import { backingFormatOf, resolveFile } from "../chain/resolve-file.ts";
import { type FileResolver, lateError, type ResolvedFile, requestFor } from "../chain/resolver.ts";
import type { BackingInfo } from "../inspect/image-info.ts";
import { requireWritable } from "../write/host-file.ts";

/** A backing file that takes what an overlay holds. */
export interface CommitTarget {
  /** Size of its disk in bytes. */
  readonly sizeBytes: number;
  /** Makes its disk larger; the new part reads as zeros. */
  grow(sizeBytes: number): Promise<void>;
  /** Writes bytes that lie inside its disk. */
  write(start: number, bytes: Uint8Array): Promise<void>;
  /** Makes a range inside its disk read as zeros. */
  zero(start: number, length: number): Promise<void>;
  /** Resolves once all of it is on stable storage. */
  flush(): Promise<void>;
  /** Gives it and what is below back. */
  close(): Promise<void>;
}

/** What {@link openTarget} opens. */
export interface TargetRequest {
  /** The backing file that the overlay names. */
  readonly backing: BackingInfo;
  /** Opens it for writing. */
  readonly resolver: FileResolver;
  /** Where the overlay is. */
  readonly location: string | undefined;
  /** Knows the overlay. */
  readonly guard: ChainGuard;
  /** How it is opened, and what is below it. */
  readonly options: OpenPartsOptions;
}

/** Opens the backing file of an overlay for writing, as the resolver allows. Errors carry its name and depth. */
export async function openTarget(request: TargetRequest): Promise<CommitTarget> {
  const { backing, resolver, location, guard, options } = request;
  guard.requireDepth(1);
  const wanted = requestFor("backing", backing.nameBytes, backing.displayName, {
    depth: 1,
    format: backing.format,
    fromLocation: location,
    mode: "rw",
  });
  const file = await resolveFile(resolver, wanted);
  try {
    let format: "raw" | "qcow2";
    try {
      format = backingFormatOf(wanted, file);
      // Reading a raw file over itself is harmless; writing is not.
      if (format === "raw") guard.enter(file.source, "image", backing.displayName);
    } catch (error) {
      await closeUnused([file]);
      throw error;
    }
    if (format === "raw") return await openRaw(file);
    const { location: at } = file;
    const below = { ...options, guard, depth: 1, mode: "rw", ...(at && { location: at }) } as const;
    return imageTarget(await openParts(file.source, [file], below));
  } catch (error) {
    throw placed(lateError(error, wanted), 1, backing.displayName);
  }
}

function imageTarget({ layer, writer }: OpenedImage): CommitTarget {
  if (writer === undefined) throw new Error("an image that is open for writing has a writer");
  return {
    get sizeBytes() {
      return layer.sizeBytes;
    },
    grow: (sizeBytes) => writer.resize(sizeBytes),
    write: (start, bytes) => writer.write(start, bytes),
    zero: (start, length) => writer.zero(start, length, "zero"),
    async flush() {
      await writer.flush();
      await writer.settleBitmaps();
    },
    close: () => closeInOrder([() => writer.close(), () => layer.close()]),
  };
}

const zeroBytes = 2 ** 20;

async function openRaw(file: ResolvedFile): Promise<CommitTarget> {
  const attempt = async <Value>(action: string, run: () => Promise<Value>): Promise<Value> => {
    try {
      return await run();
    } catch (cause) {
      throw toSourceError(cause, `${action} of the backing file`);
    }
  };
  try {
    const source = requireWritable(file.source);
    const state = { sizeBytes: (await SourceReader.open(source)).sizeBytes };
    const write = (start: number, bytes: Uint8Array) =>
      attempt(`write ${bytes.byteLength} bytes at byte ${start}`, () => source.write(start, bytes));
    return {
      get sizeBytes() {
        return state.sizeBytes;
      },
      write,
      async grow(sizeBytes) {
        await attempt("change the size", async () => {
          if (source.truncate) await source.truncate(sizeBytes);
          else await source.write(sizeBytes - 1, new Uint8Array(1));
        });
        state.sizeBytes = sizeBytes;
      },
      async zero(start, length) {
        const { punchHole } = source;
        if (punchHole) {
          await attempt("free a range", () => punchHole.call(source, start, length));
          return;
        }
        for (let done = 0; done < length; done += zeroBytes) {
          await write(start + done, new Uint8Array(Math.min(zeroBytes, length - done)));
        }
      },
      flush: () => attempt("flush the content", async () => source.flush?.()),
      close: () => closeAll([file]),
    };
  } catch (error) {
    await closeUnused([file]);
    throw error;
  }
}
