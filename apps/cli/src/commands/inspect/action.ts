import type { BoxDetails } from "@box/runtime";
import { describeBox } from "../../boxes/describe-box.ts";
import { openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { formatTable } from "../../output/table.ts";
import type { InspectInput } from "./schemas.ts";

/** Reads the box. */
export async function run({ name }: InspectInput, context: CommandContext): Promise<BoxDetails> {
  await using runtime = await openRuntime(context);
  return await runtime.boxes.inspect(name);
}

/** How much of the history people are shown; programs get all that is kept. */
const newest = 20;

/** The box for people, and below it what was decided and done, the newest last. */
export function text(box: BoxDetails): string {
  const history = box.history.slice(-newest);
  if (history.length === 0) return describeBox(box);
  const rows = history.map((event) => [new Date(event.timeMs).toISOString(), ...wordsOf(event)]);
  return `${describeBox(box)}\n\n${formatTable(["TIME", "EVENT", "MESSAGE"], rows)}`;
}

function wordsOf(event: BoxDetails["history"][number]): readonly string[] {
  switch (event.type) {
    case "overlay":
    case "change":
      return [event.name, event.message];
    case "failed":
      return [`${event.task} failed`, `${event.error.code}: ${event.error.message}`];
    default:
      return [event.type, "message" in event ? (event.message ?? "") : ""];
  }
}

/** Its id. */
export function identifiers(box: BoxDetails): readonly string[] {
  return [box.id];
}
