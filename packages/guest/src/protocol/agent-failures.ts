import { errorText } from "./error-text.ts";
import type { HostMessage } from "./host-messages.ts";

/** What in the guest did not work; the number on the wire is the place in this list plus one. */
export const agentSteps = [
  "type", // the first six: what the host sent is no frame, or came at the wrong time
  "length",
  "stream",
  "no-session",
  "in-use",
  "fields",
  "version", // no version of the protocol is common to both sides; `place` is the one of the agent
  "going-down",
  "too-many",
  "memory",
  "process", // a process cannot be started
  "target", // the file system of the target cannot be entered
  "terminal",
  "folder", // the working folder cannot be entered
  "user",
  "program", // none of the places of the program can be run; `place` is the one that tells why
  "interpreter", // what runs the program at `place` is not there
  "connect",
  "connection", // it broke
  "cancelled",
] as const;

/** See {@link agentSteps}. */
export type AgentStep = (typeof agentSteps)[number];

/** Why something was refused, or did not work, in the guest. */
export type AgentFailure =
  /** What the host sent is no frame, or came at the wrong time: the session is over. */
  | "protocol"
  /** No version of the protocol is common to both sides. */
  | "version"
  /** The guest is going down. */
  | "not-ready"
  /** Too many streams at once. */
  | "too-many"
  /** The fields of the request are no request. */
  | "invalid"
  /** This guest cannot do it. */
  | "unsupported"
  /** No such program or file. */
  | "not-found"
  /** The program may not be run, or is none. */
  | "not-executable"
  /** The working folder is not there. */
  | "no-such-cwd"
  /** No such user or group. */
  | "no-such-user"
  /** Nobody listens on the port. */
  | "refused"
  /** No disk has the serial. */
  | "no-disk"
  /** A disk cannot be mounted. */
  | "mount"
  /** A system call failed. */
  | "errno";

/** What the agent says of a failure. */
export interface FailedStep {
  /** What did not work. */
  readonly step: AgentStep;
  /** Linux error number, 0 when there is none. */
  readonly errno: number;
  /** Which of the places of a program; see {@link agentSteps}. */
  readonly place: number;
}

/** What a failure of the agent means. */
export interface ExplainedFailure {
  readonly failure: AgentFailure;
  /** Linux error number, 0 when there is none. */
  readonly errno: number;
  /** For people. */
  readonly message: string;
}

const faults: Readonly<Partial<Record<AgentStep, string>>> = {
  type: "there is no such type",
  length: "a frame has a wrong length",
  stream: "a frame has a wrong stream",
  "no-session": "a session begins with HELLO",
  "in-use": "the stream is open already",
  fields: "a frame has wrong fields, or data is beyond the credit",
};
const attempts: Readonly<Partial<Record<AgentStep, string>>> = {
  memory: "cannot keep what is written",
  process: "cannot start a process",
  target: "cannot enter the file system",
  terminal: "cannot open a terminal",
  user: "cannot become the user",
  connection: "the connection broke",
  cancelled: "was cancelled",
};
const [noEntry, notFolder, tooManyLinks, tooLong, refused] = [2, 20, 40, 36, 111];
/** `EPERM`, `ENOEXEC`, `EACCES`, `EISDIR`, `ELIBBAD`. */
const notPrograms: readonly number[] = [1, 8, 13, 21, 80];
const denied = 13;

/**
 * Says what a failure of the agent means.
 *
 * @param request - What was asked for: the agent tells numbers, not names.
 */
export function explainFailure(failed: FailedStep, request?: HostMessage): ExplainedFailure {
  const { step, errno, place } = failed;
  const explain = (failure: AgentFailure, message: string) => ({ failure, errno, message });
  const because = (what: string) => `${what}: ${errorText(errno)}`;
  const {
    workingDirectory = "",
    command = [],
    places = [],
  } = request?.type === "exec" ? request : {};
  const path = places[place] ?? command[0] ?? "";
  switch (step) {
    case "version":
      return explain("version", `the agent speaks version ${place} of the protocol`);
    case "going-down":
      return explain("not-ready", "the guest is going down");
    case "too-many":
      return explain("too-many", "too many streams are open");
    case "folder": {
      const isMissing = [noEntry, notFolder, tooManyLinks, tooLong].includes(errno);
      if (isMissing) return explain("no-such-cwd", `no such folder: ${workingDirectory}`);
      return explain("errno", because(`cannot enter the folder ${workingDirectory}`));
    }
    case "interpreter":
      return explain("not-found", `the interpreter of ${path} is not there`);
    case "program":
      if (errno === noEntry) return explain("not-found", `no such program: ${command[0] ?? ""}`);
      if (errno === denied && path !== command[0]) {
        return explain("not-executable", `the program may not be run: ${path}`);
      }
      return explain(
        notPrograms.includes(errno) ? "not-executable" : "errno",
        because(`cannot execute ${path}`),
      );
    case "connect":
      return explain(errno === refused ? "refused" : "errno", because("cannot connect"));
    default: {
      const fault = faults[step];
      if (fault !== undefined) return explain("protocol", fault);
      return explain("errno", because(attempts[step] ?? step));
    }
  }
}
