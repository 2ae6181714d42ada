import type { Engine } from "@box/vm";
import type { BoxRecord } from "../boxes/box.ts";
import { RuntimeError } from "../errors.ts";

/** @throws RuntimeError `BOX_ENGINE_MISSING` when there is nothing that runs machines. */
export function requireEngine(engine: Engine | undefined): Engine {
  if (engine !== undefined) return engine;
  throw new RuntimeError({
    code: "BOX_ENGINE_MISSING",
    message: "there is nothing here that runs virtual machines",
    hint: "open the home with an engine: Runtime.open({ home, engine })",
  });
}

/** @throws RuntimeError `BOX_NOT_RUNNING`. */
export function notRunning({ name, state }: Pick<BoxRecord, "name" | "state">): RuntimeError {
  return new RuntimeError({
    code: "BOX_NOT_RUNNING",
    message: `box ${name} is ${state}, not running`,
    details: { name, state },
    hint: "start it first",
  });
}
