import { existsSync } from "node:fs";
import type { StoredReference } from "@box/oci-images";
import type { CommandContext } from "../command/define-command.ts";
import { openImages } from "./open-images.ts";

/** The images of a home. A home that does not exist has none, and looking does not make it. */
export async function listImages(context: CommandContext): Promise<readonly StoredReference[]> {
  if (!existsSync(context.home)) return [];
  return (await openImages(context)).list();
}
