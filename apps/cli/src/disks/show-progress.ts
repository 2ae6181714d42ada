import type { CommandContext } from "../command/define-command.ts";

/** Told how far a long piece of work is. */
export type TellProgress = (done: number, total?: number) => void;

/** A progress line is redrawn ten times a second at most; events in between are nobody's gain. */
const intervalMs = 100;

/** Shows how far a task is, on stderr, in bytes. */
export async function showProgress(
  { progress }: Pick<CommandContext, "progress">,
  task: string,
  item: string,
): Promise<TellProgress> {
  const renderer = await progress();
  let lastMs = Number.NEGATIVE_INFINITY;
  return (done, total) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < intervalMs && done !== total) return;
    lastMs = nowMs;
    renderer.event({
      type: "progress",
      ...{ task, item, done, unit: "bytes" },
      ...(total === undefined ? {} : { total }),
    });
  };
}

/** Shows a warning on stderr. */
export async function showWarning(
  { progress }: Pick<CommandContext, "progress">,
  task: string,
  code: string,
  message: string,
): Promise<void> {
  (await progress()).event({ type: "warning", task, code, message });
}
