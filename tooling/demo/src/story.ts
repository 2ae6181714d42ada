import { basename } from "node:path";
import { bootBox } from "./boot.ts";
import type { BoxRun } from "./box-command.ts";
import { type BoxDetails, parseBoxDetails } from "./box-details.ts";
import { drawDiskChain, readDiskChain } from "./disk-chain.ts";
import { damageStart, type Fingerprint, isSameFile, takeFingerprint } from "./fingerprint.ts";
import type { Narrator } from "./narrator.ts";
import { shorten } from "./shorten.ts";
import { formatSize } from "./sizes.ts";
import { askTool } from "./verdict.ts";

/** What the story needs to happen. */
export interface StoryOptions {
  /** Tells it. */
  readonly narrator: Narrator;
  /** Runs the box command with a home of its own, and gives each line of its standard error as it comes. */
  readonly runBox: (args: readonly string[], onLine?: (line: string) => void) => Promise<BoxRun>;
  /** Path of that home. */
  readonly home: string;
  /** What the box is made of, such as `127.0.0.1:5000/sample/hello:latest`. */
  readonly reference: string;
  /** Ends what serves it. */
  readonly stopRegistry: () => Promise<void>;
  /** The folders to look for other tools, as in the environment variable PATH. */
  readonly searchPath: string;
}

const boxName = "hello";
/** The program of the sample image. */
const boxProgram = "/bin/hello";
const damagedBytes = 64 * 1024;

/**
 * Makes a box, shows its disks, prepares it again, damages its system disk and prepares it once more, and
 * checks after each step that what it says is so. At last it boots the box, where that is possible.
 *
 * @throws Error at the first thing that is not as it should be.
 */
export async function tellStory(options: StoryOptions): Promise<void> {
  const { narrator } = options;
  await makeBox(options);
  const box = await inspect(options);
  await showDisks(narrator, box);
  await prepareSound(options, box);
  await prepareDamaged(options, box);
  await askOtherTools(options, box);
  await bootBox({
    ...options,
    show: (...args) => run(options, ...args),
    name: boxName,
    program: boxProgram,
  });
}

async function makeBox(options: StoryOptions): Promise<void> {
  const { narrator, reference, stopRegistry } = options;
  narrator.step("Make a box of it");
  const durationMs = await run(options, "create", reference, "--name", boxName);
  narrator.say(
    `Done in ${seconds(durationMs)}. Box fetched the image, checked every digest, merged the layers into one tree of files and wrote that tree as an ext4 file system: a base, which boxes of the same image share. It did the same with a small image of its own that holds the system to boot. Then it gave the box a disk on top of each.`,
  );
  await stopRegistry();
  narrator.say("The registry is stopped now: nothing that follows needs a network.");
}

async function showDisks(narrator: Narrator, { guestDisk, userDisk }: BoxDetails): Promise<void> {
  narrator.step("What is on disk now");
  narrator.say(
    "A box has two disks. Each is an overlay, a qcow2 file that holds only what the box changes; whatever it has not changed is read from the base below it.",
  );
  for (const [path, overlay, base] of [
    [guestDisk, "the system that boots", "Box's own system image as ext4"],
    [userDisk, "the box's files", "the sample image as ext4"],
  ] as const) {
    narrator.pause();
    drawDiskChain(narrator, await readDiskChain(path), { overlay, base });
  }
}

async function prepareSound(options: StoryOptions, box: BoxDetails): Promise<void> {
  const { narrator } = options;
  narrator.step("Prepare the box again: its disks are kept");
  narrator.say(
    "Before every start Box judges both disks. These are sound, so they have to stay exactly as they are.",
  );
  const before = await fingerprints(box);
  await run(options, "prepare", boxName);
  const after = await fingerprints(box);
  demand(isSameFile(before.guest, after.guest), "the guest disk was changed although it was sound");
  demand(isSameFile(before.user, after.user), "the user's disk was changed although it was sound");
  narrator.say("Kept: not one byte and no modification time of the two files has changed.", "good");
}

async function prepareDamaged(options: StoryOptions, box: BoxDetails): Promise<void> {
  const { narrator } = options;
  narrator.step("Damage the system's disk: it is made again");
  narrator.say(
    `On purpose, the first ${formatSize(damagedBytes)} of ${basename(box.guestDisk)} are now overwritten with zeros, as a crash or a bad drive might do. That disk holds only the system, nothing of the user's, so Box may make it again. It must say so, and it must not delete the damaged file.`,
  );
  await damageStart(box.guestDisk, damagedBytes);
  const before = await fingerprints(box);
  await run(options, "prepare", boxName);
  const after = await fingerprints(box);

  const [quarantined = "", ...others] = (await inspect(options)).quarantinedPaths;
  demand(quarantined !== "" && others.length === 0, "the damaged file was not put aside");
  const kept = await takeFingerprint(quarantined);
  demand(kept.sha256 === before.guest.sha256, "the damaged file was changed when it was put aside");
  demand(after.guest.sha256 !== before.guest.sha256, "the damaged disk was not made again");
  demand(isSameFile(before.user, after.user), "the user's disk was touched");
  await readDiskChain(box.guestDisk);
  narrator.say(
    "Made again. The damaged file was put aside, for whoever wants to look into it:",
    "good",
  );
  narrator.show([quarantined]);
  narrator.say(
    "The user's disk was not touched. Had that one been damaged, Box would have refused to go on and said what can be done: it never throws away what may be somebody's data.",
  );
}

async function askOtherTools(options: StoryOptions, box: BoxDetails): Promise<void> {
  const { narrator, searchPath, home } = options;
  narrator.step("Ask tools that know nothing of Box");
  const missing = new Set<string>();
  for (const disk of [box.guestDisk, box.userDisk]) {
    const { base } = await readDiskChain(disk);
    for (const [tool, args] of [
      ["qemu-img", ["check", "-f", "qcow2", disk]],
      ["e2fsck", ["-f", "-n", base]],
    ] as const) {
      const { command, isGood, lines } = askTool(tool, args, searchPath);
      if (isGood === undefined) {
        missing.add(tool);
        continue;
      }
      narrator.show([`$ ${shorten(command, home)}`]);
      const verdict = isGood ? lines.filter((line) => !isRoutine(line)) : lines;
      for (const line of verdict) narrator.quote(shorten(line, home));
      demand(isGood, `${tool} found something wrong`);
    }
  }
  if (missing.size > 0) {
    narrator.say(
      `Not asked, because not installed: ${[...missing].join(", ")}. They come with the packages qemu-utils and e2fsprogs.`,
      "warning",
    );
  } else narrator.say("Both found nothing wrong.", "good");
}

/** What e2fsck prints whatever it finds: its passes and its version. */
function isRoutine(line: string): boolean {
  return /^(Pass \d|e2fsck \d)/.test(line);
}

/** Runs the box command before the reader's eyes. */
async function run(options: StoryOptions, ...args: string[]): Promise<number> {
  const { narrator, runBox, home } = options;
  narrator.show([`$ box ${args.join(" ")}`]);
  const { durationMs } = await runBox(args, (line) => narrator.quote(shorten(line, home)));
  return durationMs;
}

async function inspect({ runBox }: StoryOptions): Promise<BoxDetails> {
  return parseBoxDetails((await runBox(["inspect", boxName, "--format", "json"])).stdout);
}

async function fingerprints(box: BoxDetails): Promise<{ guest: Fingerprint; user: Fingerprint }> {
  return {
    guest: await takeFingerprint(box.guestDisk),
    user: await takeFingerprint(box.userDisk),
  };
}

function demand(isSo: boolean, otherwise: string): void {
  if (!isSo) throw new Error(otherwise);
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
