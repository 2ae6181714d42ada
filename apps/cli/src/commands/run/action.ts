import { parseImageReference } from "@box/oci-images";
import { type BoxDetails, type CreateBoxOptions, programWords, type Runtime } from "@box/runtime";
import { chooseGuest } from "../../boxes/choose-guest.ts";
import { followedBy, openRuntime } from "../../boxes/open-runtime.ts";
import type { CommandContext } from "../../command/define-command.ts";
import { parseSize } from "../../command/size.ts";
import { CliError } from "../../errors.ts";
import { execRequest } from "../../machines/exec-input.ts";
import { parseMemory } from "../../machines/parse-memory.ts";
import { parsePort } from "../../machines/parse-port.ts";
import { programSettings } from "../../machines/program-input.ts";
import { refuseVolumes } from "../../machines/refuse-volumes.ts";
import { requireTerminal, runInBox, withRunExitCodes } from "../../machines/run-in-box.ts";
import type { RunInput, RunOutput } from "./schemas.ts";

/** Makes a box, starts it, and runs the command in it, or leaves it running for it. */
export async function run(input: RunInput, context: CommandContext): Promise<RunOutput> {
  return withRunExitCodes(async () => {
    const options = createOptions(input, context);
    const { detach = false, tty = false } = input;
    if (tty && !detach) requireTerminal(context);
    await using runtime = await openRuntime(context);
    const followed = await followedBy(context);
    const { box } = await runtime.boxes.create({ ...options, ...followed });
    const command = await commandOf(runtime, box, input);
    try {
      return await (detach
        ? leaveRunning(runtime, box, input, context)
        : runAndStop(runtime, { box, command }, input, context));
    } catch (error) {
      // One that never ran does not stop either, after which it would go away by itself.
      if (input.rm === true) await runtime.boxes.remove(box.id).catch(() => {});
      throw error;
    }
  });
}

/** The name of a box that was left running; otherwise the command has printed what it had to say. */
export function text({ name, exitCode: code }: RunOutput): string {
  return code === undefined ? name : "";
}

/** As for people. */
export function identifiers(output: RunOutput): readonly string[] {
  return [text(output)].filter((line) => line !== "");
}

/** That of the command. */
export function exitCode({ exitCode: code }: RunOutput): number {
  return code ?? 0;
}

/** How a box runs that is left running: for its image's program, with the arguments that were given. */
function detachedSettings(
  input: RunInput,
  env: CommandContext["env"],
): NonNullable<CreateBoxOptions["run"]> {
  const { command, interactive = false, tty = false } = input;
  const { command: words, ...surroundings } = execRequest(command ?? [], input, env);
  return {
    ...surroundings,
    ...(words.length === 0 ? {} : { command: words }),
    ...{ usesEntrypoint: true, terminal: tty, keepsInput: interactive },
  };
}

function createOptions(input: RunInput, { env }: CommandContext): CreateBoxOptions {
  const {
    ref,
    name,
    rm = false,
    memory,
    cpus,
    guestRootfs,
    diskSize,
    pull,
    detach,
    publish,
    net = false,
  } = input;
  refuseVolumes(input.volume);
  parseImageReference(ref);
  return {
    image: ref,
    autoRemove: rm,
    ...(name === undefined ? {} : { name }),
    ...(guestRootfs === undefined ? {} : { guestRootfs: chooseGuest(guestRootfs) }),
    ...(diskSize === undefined ? {} : { diskSizeBytes: parseSize(diskSize, "--disk-size") }),
    ...(pull === undefined ? {} : { pull }),
    run: {
      network: net ? "user" : "none",
      ...(publish === undefined ? {} : { forwards: publish.map(parsePort) }),
      ...(memory === undefined ? {} : { memoryMiB: parseMemory(memory) }),
      ...(cpus === undefined ? {} : { cpus: Number(cpus) }),
      ...programSettings(input),
      ...(detach === true ? detachedSettings(input, env) : {}),
    },
  };
}

async function leaveRunning(
  runtime: Runtime,
  box: BoxDetails,
  input: RunInput,
  context: CommandContext,
): Promise<RunOutput> {
  const { name } = box;
  const { cold = false } = input;
  await runtime.boxes.start(name, { bootsAlways: cold, ...(await followedBy(context)) });
  return { name };
}

/** The machine ends with the command, and with this process, however that ends. */
async function runAndStop(
  runtime: Runtime,
  { box: { name }, command }: { readonly box: BoxDetails; readonly command: readonly string[] },
  input: RunInput,
  context: CommandContext,
): Promise<RunOutput> {
  const { interactive = false, tty = false, cold = false } = input;
  const how = { lifetime: "owner", bootsAlways: cold } as const;
  const stop = () => runtime.boxes.stop(name, context.signal.aborted ? { graceMs: 1000 } : {});
  let exit: Awaited<ReturnType<typeof runInBox>>;
  try {
    await runtime.boxes.start(name, { ...(await followedBy(context)), ...how });
    const request = execRequest(command, input, context.env);
    exit = await runInBox(runtime, name, { interactive, tty, request }, context);
  } catch (error) {
    // A stop that fails too must not hide why the command has.
    await stop().catch(() => {});
    throw error;
  }
  await stop();
  return { name, ...exit };
}

/** The program and its arguments. A box that has none does not stay: nobody could run it. */
async function commandOf(
  runtime: Runtime,
  box: BoxDetails,
  { ref, command }: RunInput,
): Promise<readonly string[]> {
  const words = programWords(box, command);
  if (words.length > 0) return words;
  await runtime.boxes.remove(box.id);
  throw new CliError({
    code: "CLI_USAGE",
    message: `the image ${ref} names no program, and the command line none either`,
    hint: `run: box run ${ref} -- PROGRAM`,
  });
}
