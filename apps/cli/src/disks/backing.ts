import { dirname, resolve } from "node:path";
import { isBoxError, kindOf } from "@box/errors";
import { openFile } from "@box/io/node";
import { inspectImage, Qcow2Error } from "@box/qcow2";
import type { CommandContext } from "../command/define-command.ts";
import { CliError } from "../errors.ts";
import { aboutFile, remade } from "./about-file.ts";
import { roundToSectors } from "./raw-disk.ts";

/** A backing file that the command line names. */
export interface NamedBacking {
  /** As it is stored: a relative name belongs to the image's folder. */
  readonly name: string;
  /** Its format. */
  readonly format: "qcow2" | "raw";
}

/**
 * The flags `--backing` and `--backing-format`, which go together.
 *
 * @throws CliError `CLI_USAGE`: a format is never guessed.
 */
export function readBacking(input: {
  readonly backing?: string | undefined;
  readonly backingFormat?: "qcow2" | "raw" | undefined;
}): NamedBacking | undefined {
  const { backing: name, backingFormat: format } = input;
  if (name !== undefined && format !== undefined) return { name, format };
  if (name === undefined && format === undefined) return undefined;
  const [given, missing] =
    name === undefined ? ["--backing-format", "--backing"] : ["--backing", "--backing-format"];
  throw new CliError({
    code: "CLI_USAGE",
    message: `${given} needs ${missing}: the format of a backing file is stored, never guessed`,
    hint: name === undefined ? "name the backing file" : "add --backing-format raw or qcow2",
  });
}

/** What is known of a backing file. */
export interface BackingFacts {
  /** Size of its disk. */
  readonly sizeBytes: number;
  /** Which file it is; see `RandomAccess.identity`. */
  readonly identity: string | undefined;
}

/**
 * Looks at a backing file, of which no more than the header is read. The command line names it, so it may be anywhere.
 *
 * @param image - The overlay, as the user wrote it.
 * @throws Qcow2Error `QCOW2_BACKING_MISSING`, and what reading it throws.
 */
export async function lookAtBacking(
  image: string,
  { name, format }: NamedBacking,
  { cwd, signal }: Pick<CommandContext, "cwd" | "signal">,
): Promise<BackingFacts> {
  const path = resolve(cwd, dirname(image), name);
  try {
    return await aboutFile(name, async () => {
      await using source = await openFile(path);
      const identity = source.identity?.();
      if (format === "raw") return { sizeBytes: roundToSectors(await source.size()), identity };
      const { virtualSizeBytes } = await inspectImage(source, { signal });
      return { sizeBytes: Number(virtualSizeBytes), identity };
    });
  } catch (error) {
    if (kindOf(error) === "not-found") throw missing(name, path, error);
    if (!isBoxError(error) || error.code !== "QCOW2_BAD_MAGIC") throw error;
    throw remade(error, { hint: "if it is a raw disk, say --backing-format raw" });
  }
}

function missing(name: string, path: string, cause: unknown): Qcow2Error {
  return new Qcow2Error({
    code: "QCOW2_BACKING_MISSING",
    message: `there is no backing file ${name}`,
    details: { name, path },
    hint: "a relative name belongs to the folder of the image that stores it",
    cause,
  });
}
