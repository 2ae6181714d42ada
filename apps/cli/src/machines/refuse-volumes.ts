import { CliError } from "../errors.ts";

/** Tells who asks for a folder of this host in a box what to do instead. @throws CliError `CLI_UNSUPPORTED`, when there is one. */
export function refuseVolumes(volumes: readonly string[] | undefined): void {
  const [volume] = volumes ?? [];
  if (volume === undefined) return;
  throw new CliError({
    code: "CLI_UNSUPPORTED",
    message: `a box shares no folders with its host: ${JSON.stringify(volume)}`,
    details: { volume },
    hint: "start the box and copy files in and out: box cp DIR NAME:DIR, box cp NAME:DIR DIR; or put them into its image",
  });
}
