import type { BoxSummary } from "@box/runtime";

/** What is known of a box whose machine has ended. */
export interface EndedFacts extends Pick<BoxSummary, "run" | "restarts" | "stopRequested"> {
  /** How its machine last ended. */
  readonly exit?: BoxSummary["exit"] | undefined;
  /** Where it is in its life. */
  readonly state: BoxSummary["state"];
  /** How long its machine ran, as far as somebody saw it. */
  readonly ranForMs: number;
}

/** How long the pauses between two starts are. */
export interface RestartTiming {
  /** The first one. */
  readonly firstDelayMs: number;
  /** None is longer, apart from the chance part. */
  readonly maxDelayMs: number;
  /** A machine that ran this long did well: the next end counts as the first. */
  readonly goodRunMs: number;
}

/** What is to be done with a box whose machine has ended. */
export type RestartDecision =
  | { readonly type: "stay"; readonly because: string }
  | {
      readonly type: "restart";
      /** How often in a row it will have been started again then. */
      readonly restarts: number;
      readonly delayMs: number;
    };

/** The pauses unless others are asked for. */
export const defaultTiming: RestartTiming = {
  firstDelayMs: 500,
  maxDelayMs: 60_000,
  goodRunMs: 10_000,
};

/** The part of a pause that is up to chance, so that boxes that ended together do not start together. */
const jitter = 0.25;

/**
 * Applies the restart policy of a box.
 *
 * @param random - 0 or more, less than 1.
 */
export function decideRestart(
  facts: EndedFacts,
  { firstDelayMs, maxDelayMs, goodRunMs }: RestartTiming,
  random: number,
): RestartDecision {
  const { restart } = facts.run;
  if (restart.type === "no") return { type: "stay", because: "its policy is no" };
  if (facts.stopRequested) return { type: "stay", because: "somebody stopped it" };
  if (facts.state !== "stopped" && facts.state !== "failed") {
    return { type: "stay", because: `it is ${facts.state}` };
  }
  if (facts.exit === undefined) return { type: "stay", because: "it never ran" };
  if (restart.type === "on-failure" && !hasFailed(facts)) {
    return { type: "stay", because: "it did not fail" };
  }
  const restarts = (facts.ranForMs >= goodRunMs ? 0 : facts.restarts) + 1;
  const { maxRetries } = restart.type === "on-failure" ? restart : {};
  if (maxRetries !== undefined && restarts > maxRetries) {
    return { type: "stay", because: `it failed ${maxRetries + 1} times in a row` };
  }
  const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(restarts - 1, 30));
  const chance = 1 + (random * 2 - 1) * jitter;
  return { type: "restart", restarts, delayMs: Math.round(delayMs * chance) };
}

function hasFailed({ state, exit }: EndedFacts): boolean {
  if (state === "failed" || exit === undefined) return true;
  if (exit.reason === "exited") return (exit.exitCode ?? 0) !== 0;
  return exit.reason !== "stopped";
}
