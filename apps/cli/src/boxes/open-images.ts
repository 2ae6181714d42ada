import type { ImageStore, PullEvent } from "@box/oci-images";
import type { CommandContext } from "../command/define-command.ts";
import type { ShownEvent } from "../progress/shown-event.ts";
import { openRuntime } from "./open-runtime.ts";

/** Opens the image store of a command's home, after the home itself has been checked. */
export async function openImages(context: CommandContext): Promise<ImageStore> {
  await using runtime = await openRuntime(context);
  return await runtime.imageStore();
}

/** The events of a pull, a push or an import in the one shape of all events. */
export function showPullEvent(event: PullEvent, reference: string, task = "pull"): ShownEvent {
  switch (event.type) {
    case "resolved":
      return { type: "info", task, message: `${event.reference} is ${event.digest}` };
    case "progress": {
      const { digest: item, doneBytes: done, totalBytes: total } = event;
      return { type: "progress", task, item, done, total, unit: "bytes" };
    }
    case "exists":
    case "stored": {
      const { digest: item, totalBytes } = event;
      return { type: "progress", task, item, done: totalBytes, total: totalBytes, unit: "bytes" };
    }
    case "warning":
      return { type: "warning", task, code: event.code, message: event.message };
    case "waiting":
      return {
        type: "info",
        task,
        message: `waiting for ${event.holderPid === undefined ? "another process" : `process ${event.holderPid}`} that works on ${event.what}`,
      };
    case "retry":
      return {
        type: "warning",
        task,
        code: event.code,
        message: `${event.message}; trying ${reference} again`,
      };
  }
}
