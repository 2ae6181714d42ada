import { resolveUser, type UserFiles } from "@box/guest/calls";
import { type HostMessage, programPlaces } from "@box/guest/protocol";
import type { ExecRequest } from "../../exec.ts";
import type { LinkedRequest } from "../link/messages.ts";

/** A stream that is to be opened: its first message, and what is tried, for people. */
export interface Opening {
  readonly what: string;
  /** What the failures of the guest are about. */
  readonly about: "command" | "file" | "port";
  readonly message: HostMessage;
}

/** How a command is asked for. @throws CallFailure when there is no such user. */
export function execOpening(request: ExecRequest, users: UserFiles, streamId: number): Opening {
  const {
    command,
    environment = [],
    workingDirectory = "",
    user = "",
    groups = [],
    terminal,
  } = request;
  const { home, ...identity } = resolveUser(users, user, groups);
  const hasHome = request.setsHome !== true || environment.some(([name]) => name === "HOME");
  const variables = hasHome ? environment : [...environment, ["HOME", home] as const];
  const entries = variables.map(([name, value]) => `${name}=${value}`);
  return {
    what: execWhat(request),
    about: "command",
    message: {
      type: "exec",
      streamId,
      target: request.target ?? "box",
      ...(terminal === undefined ? {} : { terminal }),
      ...identity,
      workingDirectory,
      places: programPlaces(command[0] ?? "", entries),
      command,
      environment: entries,
    },
  };
}

/** What is tried, for people. */
export function execWhat({ command }: ExecRequest): string {
  return `cannot run ${JSON.stringify(command[0] ?? "")}`;
}

/** How a process that carries out calls, or a port, is asked for. */
export function streamOpening(request: LinkedRequest, streamId: number): Opening {
  if (request.type === "calls") {
    const message = { type: "calls", streamId, target: "box" } as const;
    return { what: "cannot reach the files of the box", about: "file", message };
  }
  const { type, port } = request;
  const what = `cannot connect to port ${port} of the box`;
  return { what, about: "port", message: { type, streamId, port } };
}
