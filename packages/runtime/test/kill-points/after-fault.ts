import { Runtime } from "@box/runtime";
import { InProcessEngine } from "@box/vm/testing";
import { expect } from "vitest";
import { FakeImages } from "../fake-images.ts";
import { callVerb, type VerbCall } from "./call-verb.ts";
import { litterIn, type TemplateHome } from "./template-home.ts";
import { namesIn, type VerbCase } from "./verb-case.ts";

/** The call of a case on a home. */
export function callOf({ verb, args }: VerbCase, { archive, registry }: TemplateHome): VerbCall {
  const placed = args.map((arg) =>
    typeof arg === "string" ? arg.replace("ARCHIVE", archive).replace("REGISTRY", registry) : arg,
  );
  return { verb, args: placed };
}

/** Asserts that whoever opens a home next puts right what is left of a verb, and can call it again. */
export async function requireHealed(
  one: VerbCase,
  place: TemplateHome,
  isDone: boolean,
): Promise<void> {
  const engine = new InProcessEngine();
  await using runtime = await Runtime.open({ home: place.home, images: new FakeImages(), engine });
  await one.check(runtime, isDone);
  await requireSound(runtime);
  // Called once more, it is carried out whatever has happened before.
  const again = await callVerb(runtime, callOf(one, place)).then(
    () => undefined,
    (error: { readonly code?: string }) => error.code ?? String(error),
  );
  if (again !== undefined) expect(again).toBe(one.refusal);
  await one.check(runtime, true);
  await one.after?.(runtime);
}

/** Boxes that do not run have their disks; nothing is left of who has ended. */
async function requireSound(runtime: Runtime): Promise<void> {
  expect(await litterIn(runtime)).toEqual([]);
  for (const name of await namesIn(runtime)) {
    if ((await runtime.boxes.inspect(name)).state === "running") continue;
    const { container, guest } = await runtime.boxes.prepare(name);
    expect(container.disk.outcome).toBe("kept");
    expect(guest.type === "disk" && guest.disk.outcome).toBe("kept");
  }
  const states = (await runtime.operations.list()).map(({ state }) => state);
  expect(states).not.toContain("running");
}
