import { createInterface } from "node:readline";
import { superviseMachine } from "./supervise.ts";

/**
 * Makes a process the supervisor of the machine that its input describes. Ends the process when the machine has ended.
 *
 * @param own - This process, which must do nothing else.
 */
export async function runSupervisor(own: NodeJS.Process): Promise<void> {
  const { stdin, stdout } = own;
  const controller = new AbortController();
  // A terminal's signals belong to who started it.
  for (const name of ["SIGINT", "SIGHUP", "SIGQUIT"] as const) own.on(name, () => {});
  own.on("SIGTERM", () => controller.abort());
  // A starter that has gone away is no failure.
  for (const stream of [stdin, stdout]) stream.on("error", () => {});
  own.title = "box-machine";
  await superviseMachine({
    input: createInterface({ input: stdin, terminal: false }),
    answer: (answer) =>
      new Promise((resolve) => {
        stdout.write(`${JSON.stringify(answer)}\n`, () => resolve());
      }),
    signal: controller.signal,
  });
  // Not by exit: it waits for threads of V8, one of which may wait for this one (nodejs/node#54918). Code is kept all the same.
  own.kill(own.pid, "SIGKILL");
}
