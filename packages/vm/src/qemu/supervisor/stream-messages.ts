import type { HostMessage } from "@box/guest/protocol";
import type { ExecRequest } from "../../exec.ts";
import type { StreamRequest } from "../../streams.ts";

/** A stream that is to be opened: its first message, and what is tried, for people. */
export interface Opening {
  readonly what: string;
  /** What the failures of the guest are about. */
  readonly about: "command" | "file" | "port";
  readonly message: HostMessage;
}

/** How a command is asked for. */
export function execOpening(request: ExecRequest, streamId: number): Opening {
  const {
    command,
    environment = [],
    workingDirectory = "",
    user = "",
    groups = [],
    terminal,
  } = request;
  return {
    what: `cannot run ${JSON.stringify(command[0] ?? "")}`,
    about: "command",
    message: {
      type: "exec",
      streamId,
      target: request.target ?? "box",
      ...(terminal === undefined ? {} : { terminal }),
      setsHome: request.setsHome ?? false,
      user,
      groups,
      workingDirectory,
      command,
      environment: environment.map(([name, value]) => `${name}=${value}`),
    },
  };
}

/** How files or a port are asked for. */
export function streamOpening(request: StreamRequest, streamId: number): Opening {
  switch (request.type) {
    case "put": {
      const { type, path, keepsOwners = false } = request;
      const message = { type, streamId, target: "box", path, keepsOwners } as const;
      return { what: `cannot write into ${JSON.stringify(path)}`, about: "file", message };
    }
    case "get": {
      const { type, path, onlyLooks = false, follows = false } = request;
      const message = { type, streamId, target: "box", path, onlyLooks, follows } as const;
      return { what: `cannot read ${JSON.stringify(path)}`, about: "file", message };
    }
    case "connect": {
      const { type, port } = request;
      const what = `cannot connect to port ${port} of the box`;
      return { what, about: "port", message: { type, streamId, port } };
    }
  }
}
