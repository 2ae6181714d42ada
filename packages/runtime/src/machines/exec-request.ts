import type { EnvironmentEntry, ExecRequest, ProgramRequest, TerminalSize } from "@box/vm";
import type { BoxRecord, ImageConfig } from "../boxes/box.ts";
import { programWords } from "../boxes/program-words.ts";

/** Where programs are looked for in boxes of images that say nothing of it, and what a terminal is: as with docker. */
const usualPath: EnvironmentEntry = [
  "PATH",
  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
];
const usualTerm: EnvironmentEntry = ["TERM", "xterm"];

/** What is known of a box about running programs. */
type ProgramBox = Pick<BoxRecord, "name" | "imageConfig" | "guestRootfs" | "run">;

/** A command with what the image says about running programs where the request says nothing. */
export function completeRequest(
  { name, imageConfig, guestRootfs, run }: ProgramBox,
  request: ExecRequest,
): ExecRequest {
  const own = request.environment ?? [];
  if (request.target === "guest") {
    const guest = guestRootfs.type === "disk" ? (guestRootfs.environment ?? []) : [];
    return { ...request, environment: merge(guest, own) };
  }
  const {
    environment = [],
    workingDirectory = "",
    user = "",
  }: Partial<ImageConfig> = imageConfig ?? {};
  const wanted = request.user ?? user;
  const hostname: EnvironmentEntry = ["HOSTNAME", run.hostname ?? name];
  const usual = [usualPath, hostname, ...(request.terminal === undefined ? [] : [usualTerm])];
  return {
    ...request,
    environment: merge(usual, [...environment, ...own]),
    setsHome: request.setsHome ?? true,
    workingDirectory: request.workingDirectory ?? (workingDirectory || "/"),
    // Nobody's name: a box may have no /etc/passwd.
    ...(wanted === "" ? {} : { user: wanted }),
    groups: request.groups ?? run.groups ?? [],
  };
}

/** The size of a terminal until who attaches to it tells another. */
const usualTerminal: TerminalSize = { rows: 24, columns: 80 };

/** The program that a box runs for, when it has one. */
export function programOf(box: ProgramBox): ProgramRequest | undefined {
  const { environment, workingDirectory, user, terminal, keepsInput = false } = box.run;
  const { usesEntrypoint = false, command: own } = box.run;
  const command = usesEntrypoint ? programWords(box, own) : (own ?? []);
  if (command.length === 0) return undefined;
  const request = {
    command,
    ...(environment === undefined ? {} : { environment }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    ...(user === undefined ? {} : { user }),
    ...(terminal === true ? { terminal: usualTerminal } : {}),
  };
  return { ...completeRequest(box, request), keepsInput };
}

/** Later entries take the place of earlier ones of the same name. */
function merge(
  first: readonly EnvironmentEntry[],
  second: readonly EnvironmentEntry[],
): readonly EnvironmentEntry[] {
  return [...new Map([...first, ...second])];
}
