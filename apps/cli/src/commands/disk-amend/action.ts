import { dirname, resolve } from "node:path";
import { type AmendImageOptions, amendImage, inspectImage } from "@box/qcow2";
import type { CommandContext } from "../../command/define-command.ts";
import { aboutFile } from "../../disks/about-file.ts";
import { openToChange } from "../../disks/in-use.ts";
import { requireOtherFile } from "../../disks/new-file.ts";
import { CliError } from "../../errors.ts";
import { formatFields } from "../../output/table.ts";
import type { DiskAmendInput, DiskAmendOutput } from "./schemas.ts";

/** Changes features in place. */
export async function run(
  input: DiskAmendInput,
  { cwd, signal }: CommandContext,
): Promise<DiskAmendOutput> {
  const { file } = input;
  const changes = wantedChanges(input);
  return await aboutFile(file, async () => {
    const path = resolve(cwd, file);
    const { dataFile: data } = input;
    if (data !== undefined) await requireOtherFile(path, resolve(dirname(path), data), { cwd });
    await using source = await openToChange({ file, path, command: "box disk amend" });
    await amendImage(source, { ...changes, signal });
    await source.flush?.();
    const { version, refcountBits, hasLazyRefcounts, dataFile } = await inspectImage(source);
    return {
      file,
      compat: version === 2 ? "0.10" : "1.1",
      refcountBits,
      lazyRefcounts: hasLazyRefcounts,
      ...(dataFile && { dataFile: { name: dataFile.name ?? "", isRaw: dataFile.isRaw } }),
    };
  });
}

/** One line each. */
export function text(output: DiskAmendOutput): string {
  const { file, compat, refcountBits, lazyRefcounts, dataFile } = output;
  const rows: [string, string][] = [
    ["file", file],
    ["compat", compat],
    ["refcount bits", String(refcountBits)],
    ["lazy refcounts", lazyRefcounts ? "on" : "off"],
  ];
  if (dataFile) rows.push(["data file", `${dataFile.name}${dataFile.isRaw ? " (raw)" : ""}`]);
  return formatFields(rows);
}

/** The file. */
export function identifiers({ file }: DiskAmendOutput): readonly string[] {
  return [file];
}

function wantedChanges(input: DiskAmendInput): AmendImageOptions {
  const { compat, refcountBits, lazyRefcounts, dataFile, dataFileRaw } = input;
  const changes: AmendImageOptions = {
    ...(compat && { version: compat === "0.10" ? 2 : 3 }),
    ...(refcountBits && { refcountBits: Number(refcountBits) }),
    ...(lazyRefcounts && { hasLazyRefcounts: lazyRefcounts === "on" }),
    ...(dataFile && { dataFileName: dataFile }),
    ...(dataFileRaw && { isDataFileRaw: false }),
  };
  if (Object.keys(changes).length > 0) return changes;
  throw new CliError({
    code: "CLI_USAGE",
    message: "box disk amend needs a flag that says what to change",
    hint: "run: box disk amend --help",
  });
}
