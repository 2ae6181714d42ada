import { linuxSignalName, linuxSignals } from "@box/guest/protocol";
import { CliError } from "../errors.ts";

/** The name of a signal that is written as `HUP`, `SIGHUP` or `1`. @throws CliError `CLI_INVALID_ARGUMENT`. */
export function parseSignal(text: string): string {
  const word = text.toUpperCase();
  const name = word.startsWith("SIG") ? word : `SIG${word}`;
  if (Object.hasOwn(linuxSignals, name)) return name;
  const numbered = /^\d{1,2}$/.test(text) ? linuxSignalName(Number(text)) : "";
  if (Object.hasOwn(linuxSignals, numbered)) return numbered;
  throw new CliError({
    code: "CLI_INVALID_ARGUMENT",
    message: `there is no signal ${JSON.stringify(text)}`,
    hint: "name one such as TERM, HUP or KILL",
  });
}
