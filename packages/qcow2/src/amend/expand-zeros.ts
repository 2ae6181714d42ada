import type { RandomAccess } from "@box/io";
import { throwIfAborted } from "../bytes/source-reader.ts";
import { thenClose } from "../chain/closing.ts";
import { openParts } from "../chain/open-image.ts";
import type { AmendImageOptions } from "./amend-options.ts";

const stepBytes = 2 ** 20;

/**
 * Leaves no zero cluster in an image: they are given back where nothing is below, and stored as zeros where a backing
 * file would show; the same in its snapshots. The disk reads the same before, after, and in between, and so do they.
 */
export async function expandZeros(
  source: RandomAccess,
  { limits, signal }: AmendImageOptions,
): Promise<void> {
  const how = { ...(limits && { limits }), ...(signal && { signal }) };
  // No resolver is asked for the backing file: whatever it holds, stored zeros hide it.
  const options = { ...how, mode: "rw", standsAlone: true } as const;
  const { layer, info, writer } = await openParts(source, [], options);
  const expand = async (): Promise<void> => {
    if (writer === undefined) throw new Error("an image that is open for writing has a writer");
    await writer.dropPast();
    for (let at = 0; at < layer.sizeBytes; ) {
      throwIfAborted(signal);
      const run = await layer.map.next(at, layer.sizeBytes - at);
      const step = run.kind === "zero" ? Math.min(run.length, stepBytes) : run.length;
      if (run.kind === "zero" && info.backing) await writer.write(at, new Uint8Array(step));
      else if (run.kind === "zero") await writer.forget(at, step);
      at += step;
    }
    if (info.snapshots.entries > 0) await writer.expandSnapshots();
  };
  await thenClose(expand, [() => writer?.close(), () => layer.close()]);
}
