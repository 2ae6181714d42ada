import { z } from "zod";
import { type BoxRun, BoxRunFailed } from "./box-command.ts";
import type { Narrator } from "./narrator.ts";

/** What booting a box before the reader's eyes needs. */
export interface BootOptions {
  readonly narrator: Narrator;
  /** Runs the box command. */
  readonly runBox: (args: readonly string[]) => Promise<BoxRun>;
  /** Runs it and shows what it says meanwhile; the time it took in milliseconds. */
  readonly show: (...args: string[]) => Promise<number>;
  /** The box. */
  readonly name: string;
  /** The program of its image. */
  readonly program: string;
}

const doctorSchema = z.object({
  findings: z.array(
    z.object({
      name: z.string(),
      isGood: z.boolean(),
      found: z.string(),
      hint: z.string().optional(),
    }),
  ),
});

/**
 * Boots a box, runs its program in it, shows what that prints, and stops the box. Where machines cannot be started, says why
 * and what to install.
 *
 * @throws Error when it can be booted, and the program does not greet.
 */
export async function bootBox(options: BootOptions): Promise<void> {
  const { narrator, runBox, show, name, program } = options;
  narrator.step("Boot it, and run its program inside");
  const missing = await missingParts(runBox);
  if (missing.length > 0) {
    narrator.say(
      "The disks are ready to boot, but no virtual machine can be started here:",
      "warning",
    );
    narrator.show(missing);
    return;
  }
  const startMs = await show("start", name);
  narrator.say(
    `The machine answers after ${(startMs / 1000).toFixed(1)} s. The program of the image runs in it, and what it prints comes back:`,
  );
  const command = ["exec", name, "--", program];
  narrator.show([`$ box ${command.join(" ")}`]);
  const { stdout } = await runBox(command);
  for (const line of stdout.trimEnd().split("\n")) narrator.quote(line);
  if (!/hello/i.test(stdout)) throw new Error(`${program} did not greet from inside the box`);
  await show("stop", name);
  narrator.say("Its disks are written and free again.", "good");
}

/** What is missing for a machine, and what to do, a line each. */
async function missingParts(runBox: BootOptions["runBox"]): Promise<readonly string[]> {
  try {
    await runBox(["doctor", "--format", "json"]);
    return [];
  } catch (error) {
    if (!(error instanceof BoxRunFailed)) throw error;
    const { findings } = doctorSchema.parse(JSON.parse(error.stdout));
    return findings
      .filter(({ isGood }) => !isGood)
      .flatMap(({ name, found, hint }) => [
        `${name}: ${found}`,
        ...(hint === undefined ? [] : [hint]),
      ]);
  }
}
