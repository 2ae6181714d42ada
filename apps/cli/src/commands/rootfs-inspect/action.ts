import type { CommandContext } from "../../command/define-command.ts";
import { formatFields, formatSize } from "../../output/table.ts";
import { featureNames } from "../../rootfs/feature-names.ts";
import { showPath } from "../../rootfs/image-path.ts";
import { withRootfs } from "../../rootfs/open-rootfs.ts";
import type { RootfsInspectInput, RootfsInspectOutput } from "./schemas.ts";

/** Reads the superblock. */
export async function run(
  input: RootfsInspectInput,
  context: CommandContext,
): Promise<RootfsInspectOutput> {
  return withRootfs(input.file, input, context, async ({ summary }) => {
    const { uuid, label, features, ...numbers } = summary;
    return {
      file: input.file,
      ...numbers,
      uuid: showUuid(uuid),
      label: showPath(label),
      features: featureNames(features),
    };
  });
}

/** One line each. */
export function text(output: RootfsInspectOutput): string {
  const { sizeBytes, freeBytes, usedInodes, inodeCount, label } = output;
  return formatFields([
    ["file", output.file],
    ["size", `${formatSize(sizeBytes)} (${sizeBytes} bytes)`],
    ["free", formatSize(freeBytes)],
    ["block size", formatSize(output.blockBytes)],
    ["inodes", `${usedInodes} of ${inodeCount} in use`],
    ["uuid", output.uuid],
    ...(label === "" ? [] : [["label", label] as const]),
    ["features", output.features.join(" ")],
  ]);
}

function showUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
