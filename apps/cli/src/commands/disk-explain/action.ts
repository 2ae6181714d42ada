import { resolve } from "node:path";
import { type BoxError, isBoxError } from "@box/errors";
import type { OpenFile } from "@box/io";
import { openFile } from "@box/io/node";
import { checkImage, describeImage } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import type { DiskMember } from "../../disks/allowed-folders.ts";
import { allocatedBytesOf } from "../../disks/holes.ts";
import { isInUse } from "../../disks/in-use.ts";
import { openDisk } from "../../disks/open-disk.ts";
import { showProgress } from "../../disks/show-progress.ts";
import type { Paint } from "../../output/paint.ts";
import { formatSize } from "../../output/table.ts";
import { visible } from "../../output/visible.ts";
import { explainImage } from "./explain-image.ts";
import type { DiskExplainInput, DiskExplainOutput } from "./schemas.ts";

/** Reads all tables of the image, and the headers of its chain. */
export async function run(
  input: DiskExplainInput,
  context: CommandContext,
): Promise<DiskExplainOutput> {
  const { file, inputFormat } = input;
  return aboutFile(file, async () => {
    await using source = await openFile(resolve(context.cwd, file), { blocking: true });
    if (inputFormat === "raw") return await explainRaw(file, source, context);
    const { signal } = context;
    const description = await describeImage(source, { signal });
    const tell = await showProgress(context, "check", file);
    const report = await checkImage(source, { signal, onProgress: (done) => tell(done) });
    const inUse = await isInUse(source);
    const chain = await followChain(input, context);
    return explainImage({ file, description, report, inUse, ...chain });
  });
}

/** Sentences, then what could be done. */
export function text({ sentences, next }: DiskExplainOutput, paint: Paint): string {
  const lines = sentences.map(visible);
  if (next.length === 0) return lines.join("\n");
  const width = Math.max(...next.map(({ command }) => visible(command).length));
  const rows = next.map(
    ({ command, reason }) => `  ${paint.bold(visible(command).padEnd(width))}  ${visible(reason)}`,
  );
  return [...lines, "", "You could:", ...rows].join("\n");
}

async function explainRaw(
  file: string,
  source: OpenFile,
  { cwd }: CommandContext,
): Promise<DiskExplainOutput> {
  const sizeBytes = await source.size();
  const takenBytes = await allocatedBytesOf(resolve(cwd, file));
  const space =
    takenBytes < sizeBytes
      ? `takes ${formatSize(takenBytes)}, for the rest is holes`
      : "takes all of that";
  return {
    file,
    format: "raw",
    role: "raw disk",
    state: "consistent",
    isUsable: true,
    chain: [],
    sentences: [
      `${file} is taken as a raw disk of ${formatSize(sizeBytes)}: its bytes are the disk's bytes.`,
      `It stands alone and ${space}.`,
      "A raw disk has no structure of its own, so there is nothing to check.",
    ],
    next: [
      {
        command: `box disk convert -f raw -O qcow2 ${file} ${file}.qcow2`,
        reason: "make a qcow2 image of it",
      },
    ],
  };
}

/** The files below the image, and why the chain cannot be read when it cannot. */
async function followChain(
  { file, allow }: DiskExplainInput,
  context: CommandContext,
): Promise<{ chain: readonly DiskMember[]; obstacle: BoxError | undefined }> {
  const chain: DiskMember[] = [];
  try {
    await using disk = await openDisk(
      { file, allow, onMember: (member) => chain.push(member) },
      context,
    );
    return { chain: disk.members, obstacle: undefined };
  } catch (error) {
    if (!isBoxError(error) || error.kind === "aborted") throw error;
    return { chain, obstacle: error };
  }
}
