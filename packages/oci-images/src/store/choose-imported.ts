import {
  hasSuccessors,
  isManifestType,
  type NamedEntry,
  type OperationOptions,
  type ReadonlyTarget,
} from "@box/oras";
import { configTypes, type ImageLimits } from "../image/image.ts";
import { readNode } from "../platform/select.ts";
import type { PullEvent } from "./events.ts";

/** Options of {@link chooseImported}. */
export interface ChooseImportedOptions extends OperationOptions {
  /** How large documents may be. */
  readonly limits?: Partial<ImageLimits>;
  /** Told what is passed over. */
  readonly onEvent?: (event: PullEvent) => void;
}

/**
 * The entries of an archive or a layout that are images. Others may stand beside them: attached artifacts, and what
 * nobody here knows. With no image among them all entries are returned, for whoever looks at them to refuse.
 */
export async function chooseImported(
  target: ReadonlyTarget,
  entries: readonly NamedEntry[],
  options: ChooseImportedOptions,
): Promise<readonly NamedEntry[]> {
  const images: NamedEntry[] = [];
  const others: NamedEntry[] = [];
  for (const entry of entries) {
    const isImage = entries.length === 1 || (await mayBeImage(target, entry, options));
    (isImage ? images : others).push(entry);
  }
  if (images.length === 0) return entries;
  for (const { descriptor } of others) {
    options.onEvent?.({
      type: "warning",
      code: "OCI_NOT_AN_IMAGE",
      message: `passed over ${descriptor.digest}: it is no image`,
    });
  }
  return images;
}

async function mayBeImage(
  target: ReadonlyTarget,
  { descriptor }: NamedEntry,
  options: ChooseImportedOptions,
): Promise<boolean> {
  const { mediaType } = descriptor;
  if (!isManifestType(mediaType)) return hasSuccessors(mediaType);
  const { document } = await readNode(target, descriptor, options);
  if (document.type !== "manifest") return true;
  const { subject, config } = document.manifest;
  return subject === undefined && configTypes.has(config.mediaType);
}
