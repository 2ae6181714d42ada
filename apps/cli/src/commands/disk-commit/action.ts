import { resolve } from "node:path";
import { openFile } from "@box/io/node";
import { commitImage, type FileResolver } from "@box/qcow2";
import { blockingNodeCodec } from "@box/qcow2/node";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { allowedFolders, resolverWithin } from "../../disks/allowed-folders.ts";
import { requireNotInUse } from "../../disks/in-use.ts";
import { showProgress } from "../../disks/show-progress.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import type { DiskCommitInput, DiskCommitOutput } from "./schemas.ts";

/** Writes the overlay's own data into its backing file. */
export async function run(
  { file, keep = false, allow }: DiskCommitInput,
  context: CommandContext,
): Promise<DiskCommitOutput> {
  const { cwd, signal } = context;
  const path = resolve(cwd, file);
  return await aboutFile(file, async () => {
    await using source = await openFile(path, { mode: "rw", blocking: true });
    await requireNotInUse(file, source);
    let backing = "";
    const folders = await allowedFolders(allow, path, cwd);
    const resolver = resolverWithin(folders, ({ role, name }) => {
      if (role === "backing" && backing === "") backing = name;
    });
    const tell = await showProgress(context, "commit", file);
    const target = refusingUsed(resolver);
    const report = await commitImage(source, {
      target: target.resolver,
      backing: resolver,
      dataFile: resolver,
      keepsData: keep,
      location: path,
      codec: blockingNodeCodec,
      signal,
      onProgress: ({ doneBytes, totalBytes }) => tell(doneBytes, totalBytes),
    }).catch((error: unknown) => {
      throw target.refusal() ?? error;
    });
    if (!keep) await source.flush?.();
    return { file, backing, ...report, isEmptied: !keep };
  });
}

/** One line each. */
export function text(output: DiskCommitOutput): string {
  const { file, backing, committedBytes, backingSizeBytes, isEmptied } = output;
  return formatFields([
    ["file", `${file}, ${isEmptied ? "empty now" : "unchanged"}`],
    ["backing", `${backing}, a disk of ${formatSize(backingSizeBytes)}`],
    ["written", formatSize(committedBytes)],
  ]);
}

/** The backing file, which is what has changed. */
export function identifiers({ backing }: DiskCommitOutput): readonly string[] {
  return [backing];
}

/** A backing file that a machine uses must not change under it. The refusal is kept as it is, for its own kind. */
function refusingUsed(resolver: FileResolver): { resolver: FileResolver; refusal(): unknown } {
  let refusal: unknown;
  return {
    refusal: () => refusal,
    resolver: async (request) => {
      const found = await resolver(request);
      if (found === undefined) return undefined;
      try {
        await requireNotInUse(request.displayName, found.source);
        return found;
      } catch (error) {
        refusal = error;
        await found.source.close?.();
        throw error;
      }
    },
  };
}
