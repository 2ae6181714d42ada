import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { serveRegistry } from "@box/oras/registry-server";
import { pushSampleImage } from "@box/sample-image";
import { runBox } from "./box-command.ts";
import { setUpMachines } from "./machines.ts";
import { Narrator } from "./narrator.ts";
import { tellStory } from "./story.ts";

const cliFolder = new URL(".", import.meta.resolve("@box/cli/package.json"));
const repository = "sample/hello";
const tag = "latest";

const options = {
  /** Leaves the box where it is. */
  keep: { type: "boolean", default: false },
  /** The box command to show: a file of its own folder. */
  cli: { type: "string", default: "dist/main.js" },
} as const;

/** Runs the demonstration; returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const narrator = new Narrator(process.stdout);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const { keep, cli } = parseArgs({ args: [...args], options }).values;
    await demonstrate(narrator, { isKept: keep, cli, signal: stop.signal });
    return 0;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    narrator.say(stop.signal.aborted ? "Stopped." : `This went wrong: ${reason}`, "bad");
    return stop.signal.aborted ? 130 : 1;
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

async function demonstrate(
  narrator: Narrator,
  { isKept, cli, signal }: { isKept: boolean; cli: string; signal: AbortSignal },
): Promise<void> {
  const { PATH = "" } = process.env;
  const program = [process.execPath, ...process.execArgv, fileURLToPath(new URL(cli, cliFolder))];
  const home = await mkdtemp(join(tmpdir(), "box-demo-"));
  const kernel = await setUpMachines(narrator, signal);
  /** The box whose machine may run. */
  let started: string | undefined;
  try {
    narrator.title("Box: a container image becomes the disks of a virtual machine");
    await using registry = await serveRegistry();
    await pushSampleImage(registry.origin, repository, tag);
    narrator.step("A container image to start from");
    narrator.say(
      `A sample image was made by code a moment ago: several layers, with deletions and links in them, and a tiny program that greets. A registry on this machine, ${registry.host}, serves it over HTTP, the way public registries serve theirs. Nothing comes from the internet.`,
    );
    narrator.say(`Box keeps everything below one folder; here, HOME stands for ${home}.`);
    await tellStory({
      narrator,
      runBox: (boxArgs, onLine) => {
        if (boxArgs[0] === "start") started = boxArgs[1];
        return runBox(boxArgs, { program, home, onLine, kernel, signal });
      },
      home,
      reference: `${registry.host}/${repository}:${tag}`,
      stopRegistry: () => registry.close(),
      searchPath: PATH,
    });
  } finally {
    // Whatever has happened, and also when it was interrupted, no machine runs on.
    if (started !== undefined) {
      const patience = AbortSignal.timeout(60_000);
      await runBox(["stop", started], { program, home, signal: patience }).catch(() => {});
    }
    narrator.pause();
    if (isKept) narrator.say(`Left in place: ${home}`);
    else await rm(home, { recursive: true, force: true });
  }
  narrator.say("Everything was as it should be.", "good");
  narrator.say(
    isKept
      ? `Look at it with: npm run -s box -- --home ${home} inspect hello`
      : "All of it is removed again; npm start -- --keep leaves it in place to look at.",
  );
}
