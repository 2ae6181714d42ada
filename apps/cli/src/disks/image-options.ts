import type { CreateImageOptions } from "@box/qcow2";
import { parseSize } from "../command/size.ts";
import { CliError } from "../errors.ts";
import type { ImageInput } from "./image-input.ts";

type ImageOptions = Pick<
  CreateImageOptions,
  "version" | "clusterSizeBytes" | "refcountBits" | "hasExtendedL2" | "hasLazyRefcounts"
>;

/** The flags as options of `@box/qcow2`; those that were not given are absent. */
export function toImageOptions(input: ImageInput): ImageOptions {
  const { clusterSize, refcountBits, compat, extendedL2, lazyRefcounts } = input;
  return {
    ...(clusterSize !== undefined && {
      clusterSizeBytes: parseSize(clusterSize, "--cluster-size"),
    }),
    ...(refcountBits !== undefined && { refcountBits: Number(refcountBits) }),
    ...(compat !== undefined && { version: compat === "0.10" ? 2 : 3 }),
    ...(extendedL2 !== undefined && { hasExtendedL2: extendedL2 }),
    ...(lazyRefcounts !== undefined && { hasLazyRefcounts: lazyRefcounts }),
  };
}

/** The flags of {@link ImageInput} that were given, as they are written. */
export function givenImageFlags(input: ImageInput): readonly string[] {
  return Object.entries(flagNames)
    .filter(([key]) => input[key as keyof ImageInput] !== undefined)
    .map(([, flag]) => flag);
}

const flagNames: Readonly<Record<keyof ImageInput, string>> = {
  clusterSize: "--cluster-size",
  refcountBits: "--refcount-bits",
  compat: "--compat",
  extendedL2: "--extended-l2",
  lazyRefcounts: "--lazy-refcounts",
};

/** Refuses flags that only a qcow2 image can honour. */
export function requireQcow2(flags: readonly string[], hint: string): void {
  if (flags.length === 0) return;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `${flags.join(", ")}: only a qcow2 image has that, and the file is to be raw`,
    hint,
  });
}
