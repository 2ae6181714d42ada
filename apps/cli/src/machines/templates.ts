import { join } from "node:path";
import type { UsageGroup } from "@box/runtime";
import type { KeptTemplate } from "@box/vm/qemu";
import type { CommandContext } from "../command/define-command.ts";
import { templateFolderOf } from "./open-engine.ts";

/** The templates of this user, which all homes share, the one that was used last first. */
export async function findTemplates({
  env,
}: Pick<CommandContext, "env">): Promise<readonly KeptTemplate[]> {
  const { listTemplates } = await import("@box/vm/qemu");
  return listTemplates(templateFolderOf(env));
}

/** Removes them; the next box of each shape boots and is saved. */
export async function clearTemplates({ env }: Pick<CommandContext, "env">): Promise<void> {
  const { removeTemplates } = await import("@box/vm/qemu");
  await removeTemplates(templateFolderOf(env));
}

/** Where a template stands. */
export function templatePath(
  { env }: Pick<CommandContext, "env">,
  { slot }: Pick<KeptTemplate, "slot">,
): string {
  return join(templateFolderOf(env), `${slot}.json`);
}

/** What they take, as a group of what `box df` shows. */
export async function measureTemplates(context: Pick<CommandContext, "env">): Promise<UsageGroup> {
  const items = (await findTemplates(context)).map((template) => {
    const { lengthBytes } = template;
    return {
      name: templatePath(context, template),
      usedBy: ["the next box of its shape"],
      logicalBytes: lengthBytes,
      allocatedBytes: lengthBytes,
      sharedBytes: 0,
      uniqueBytes: lengthBytes,
      reclaimableBytes: 0,
    };
  });
  const bytes = items.reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
  return {
    logicalBytes: bytes,
    allocatedBytes: bytes,
    sharedBytes: 0,
    uniqueBytes: bytes,
    reclaimableBytes: 0,
    items,
  };
}
