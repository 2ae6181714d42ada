import { resolve } from "node:path";
import type { OpenFile, RandomAccess } from "@box/io";
import { commitImage, type FileResolver } from "@box/qcow2";
import { blockingNodeCodec } from "@box/qcow2/node";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { allowedFolders, resolverWithin } from "../../disks/allowed-folders.ts";
import { claimFile, closing, openToChange } from "../../disks/in-use.ts";
import { showProgress } from "../../disks/show-progress.ts";
import { warnOfSnapshots } from "../../disks/warn-of-snapshots.ts";
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
    await using source = await openToChange({ file, path, command });
    let backing = "";
    const folders = await allowedFolders(allow, path, cwd);
    const resolver = resolverWithin(folders, ({ role, name }) => {
      if (role === "backing" && backing === "") backing = name;
    });
    await warnOfSnapshots(file, source, "commit", context);
    const tell = await showProgress(context, "commit", file);
    const target = claiming(resolver, source);
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

const command = "box disk commit";

/**
 * Keeps others from changing the backing file while it is written, or refuses one that is in use. The refusal is kept as it
 * is, for its own kind.
 */
function claiming(
  resolver: FileResolver,
  overlay: OpenFile,
): { resolver: FileResolver; refusal(): unknown } {
  let refusal: unknown;
  return {
    refusal: () => refusal,
    resolver: async (request) => {
      const found = await resolver(request);
      // A file that backs itself is no matter of locks: committing refuses it.
      if (found === undefined || isSame(found.source, overlay)) return found;
      const { source } = found;
      try {
        const lock = await claimFile(request.displayName, source, command);
        return { ...found, source: { ...source, close: closing(source, lock) } };
      } catch (error) {
        refusal = error;
        await source.close?.();
        throw error;
      }
    },
  };
}

function isSame(one: RandomAccess, other: RandomAccess): boolean {
  return one.identity?.() === other.identity?.();
}
