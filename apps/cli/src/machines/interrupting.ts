import type { ExecProcess } from "@box/vm";

const againMs = 1000;

/** Passes Ctrl-C to what runs in a box, which may end as it likes; twice within a second is for this process. */
export function interrupting(running: Pick<ExecProcess, "kill">): () => boolean {
  let isAgain = false;
  return () => {
    if (isAgain) return false;
    isAgain = true;
    setTimeout(() => {
      isAgain = false;
    }, againMs).unref();
    void running.kill("SIGINT").catch(() => {});
    return true;
  };
}
