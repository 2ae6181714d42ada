import type { CommandContext, ValueSource } from "../command/define-command.ts";
import type { Candidate } from "./complete.ts";

/** Values that are known only at run time: names of boxes, images, error codes. A failure offers nothing. */
export async function loadValues(
  source: ValueSource,
  context: CommandContext,
): Promise<readonly Candidate[]> {
  try {
    return (await sources[source]?.(context)) ?? [];
  } catch {
    return [];
  }
}

const sources: Partial<
  Record<ValueSource, (context: CommandContext) => Promise<readonly Candidate[]>>
> = {
  boxes: async (context) => {
    const { listBoxes } = await import("../boxes/list-boxes.ts");
    const boxes = await listBoxes(context);
    return boxes.map(({ name, state, image }) => ({
      value: name,
      summary: `${state}, ${image.reference}`,
    }));
  },
  images: async (context) => {
    const { listImages } = await import("../boxes/list-images.ts");
    const images = await listImages(context);
    return images.flatMap(({ reference, descriptor }) =>
      reference === undefined ? [] : [{ value: reference, summary: descriptor.digest }],
    );
  },
  codes: async () => {
    const { loadCatalog } = await import("../explain/catalog.ts");
    return (await loadCatalog()).map(({ code, kind }) => ({ value: code, summary: kind }));
  },
};
