import { linuxSignalName, linuxSignals } from "@box/guest/protocol";
import type { BoxRecord } from "../boxes/box.ts";

/**
 * The signal that the program of a box is stopped by, when it is another than `SIGTERM`, which all programs of a guest get. What
 * an image says is not checked by anybody: a signal that there is none of is none.
 */
export function stopSignalOf({
  imageConfig,
  run,
}: Pick<BoxRecord, "imageConfig" | "run">): string | undefined {
  const text = (run.stopSignal ?? imageConfig?.stopSignal ?? "").toUpperCase();
  const named = text.startsWith("SIG") ? text : `SIG${text}`;
  const name = /^\d{1,2}$/.test(text) ? linuxSignalName(Number(text)) : named;
  return name !== "SIGTERM" && Object.hasOwn(linuxSignals, name) ? name : undefined;
}
