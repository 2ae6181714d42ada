import type { BaseEvent } from "@box/rootfs";
import type { Reporter } from "./image-source.ts";

/** Tells what happens to a base as events of the task that asked for it. */
export function reportBase(reporter: Reporter): (event: BaseEvent) => void {
  return ({ name, level, message, key, code, progress }) => {
    if (name === "base.cached") reporter.cached(message, { key });
    else if (progress !== undefined) {
      const { stage, done, total } = progress;
      const unit = stage === "merge" ? "layers" : "bytes";
      reporter.progress({ done, total, unit, item: `base.${stage}` });
    } else if (level === "warning") {
      reporter.warn({ message, details: { key }, ...(code === undefined ? {} : { code }) });
    } else reporter.info(message, { key });
  };
}
