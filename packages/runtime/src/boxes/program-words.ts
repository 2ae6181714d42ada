import type { BoxRecord } from "./box.ts";

/**
 * The words of a program that is its image's: the image's entry point or the box's own, with these arguments. Without any, those of
 * the image go with the image's entry point; one of somebody else's wants others.
 */
export function programWords(
  { imageConfig, run: { entrypoint } }: Pick<BoxRecord, "imageConfig" | "run">,
  command: readonly string[] | undefined,
): readonly string[] {
  if (entrypoint !== undefined) return [...entrypoint, ...(command ?? [])];
  return [...(imageConfig?.entrypoint ?? []), ...(command ?? imageConfig?.command ?? [])];
}
