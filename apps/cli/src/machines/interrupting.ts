import type { ExecProcess } from "@box/vm";
import type { TakenSignal } from "../host/host.ts";

const againMs = 1000;

/**
 * Passes Ctrl-C, and `SIGTERM` where it is named, to what runs in a box, which may end as it likes; twice within a second is for this
 * process.
 */
export function interrupting(
  running: Pick<ExecProcess, "kill">,
  passed: readonly TakenSignal[] = ["SIGINT", "SIGTERM"],
): (name: TakenSignal) => boolean {
  let isAgain = false;
  return (name) => {
    if (isAgain || !passed.includes(name)) return false;
    isAgain = true;
    setTimeout(() => {
      isAgain = false;
    }, againMs).unref();
    void running.kill(name).catch(() => {});
    return true;
  };
}
