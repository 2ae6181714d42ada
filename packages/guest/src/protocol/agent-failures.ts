import { errorText } from "./error-text.ts";
import type { HostMessage } from "./host-messages.ts";

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

/** What in the guest did not work. */
export type AgentStep =
  // What the host sent is no frame, or came at the wrong time.
  | "type"
  | "length"
  | "stream"
  | "no-session"
  | "in-use"
  | "fields"
  // `place` is the version of the agent.
  | "version"
  | "going-down"
  | "too-many"
  | "memory"
  | "process"
  | "target"
  | "terminal"
  | "folder"
  | "user"
  // None of the places of the program can be run; `place` is the one that tells why.
  | "program"
  // What runs the program at `place`.
  | "interpreter"
  | "connect"
  | "connection"
  | "cancelled";

/** In the order of their numbers on the wire, which begin with 1, and what they mean unless more is known. */
const meanings: Readonly<Record<AgentStep, readonly [AgentFailure, string]>> = {
  type: ["protocol", "there is no such type"],
  length: ["protocol", "a frame has a wrong length"],
  stream: ["protocol", "a frame has a wrong stream"],
  "no-session": ["protocol", "a session begins with HELLO"],
  "in-use": ["protocol", "the stream is open already"],
  fields: ["protocol", "a frame has wrong fields, or data is beyond the credit"],
  version: ["version", "the agent speaks version"],
  "going-down": ["not-ready", "the guest is going down"],
  "too-many": ["too-many", "too many streams are open"],
  memory: ["errno", "cannot keep what is written"],
  process: ["errno", "cannot start a process"],
  target: ["errno", "cannot enter the file system"],
  terminal: ["errno", "cannot open a terminal"],
  folder: ["errno", "cannot enter the folder"],
  user: ["errno", "cannot become the user"],
  program: ["errno", "cannot execute"],
  interpreter: ["not-found", "the interpreter of"],
  connect: ["errno", "cannot connect"],
  connection: ["errno", "the connection broke"],
  cancelled: ["errno", "was cancelled"],
};

/** All of them: the number on the wire is the place in this list plus one. */
export const agentSteps: readonly AgentStep[] = Object.keys(meanings) as AgentStep[];

/** What the agent says of a failure. */
export interface FailedStep {
  /** What did not work. */
  readonly step: AgentStep;
  /** Linux error number, 0 when there is none. */
  readonly errno: number;
  /** Which of the places of a program; of `version`: the one of the agent. */
  readonly place: number;
}

/** What a failure of the agent means. */
export interface ExplainedFailure {
  /** What went wrong. */
  readonly failure: AgentFailure;
  /** Linux error number, 0 when there is none. */
  readonly errno: number;
  /** For people. */
  readonly message: string;
}

const [noEntry, refused] = [2, 111];
/** `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`, `ELOOP`. */
const notFolders: readonly number[] = [2, 20, 36, 40];
/** `EPERM`, `ENOEXEC`, `EACCES`, `EISDIR`, `ELIBBAD`. */
const notPrograms: readonly number[] = [1, 8, 13, 21, 80];

/**
 * Says what a failure of the agent means.
 *
 * @param request - What was asked for: the agent tells numbers, not names.
 */
export function explainFailure(
  { step, errno, place }: FailedStep,
  request?: HostMessage,
): ExplainedFailure {
  const exec = request?.type === "exec" ? request : undefined;
  const program = exec?.command[0] ?? "";
  const path = exec?.places[place] ?? program;
  const [failure, text] = meanings[step];
  const explain = (message: string, meaning: AgentFailure = failure) => {
    return { failure: meaning, errno, message };
  };
  const because = `: ${errorText(errno)}`;
  switch (step) {
    case "version":
      return explain(`${text} ${place} of the protocol`);
    case "folder": {
      const folder = exec?.workingDirectory ?? "";
      if (notFolders.includes(errno)) return explain(`no such folder: ${folder}`, "no-such-cwd");
      return explain(`${text} ${folder}${because}`);
    }
    case "interpreter":
      return explain(`${text} ${path} is not there`);
    case "program": {
      if (errno === noEntry) return explain(`no such program: ${program}`, "not-found");
      const meaning = notPrograms.includes(errno) ? "not-executable" : failure;
      return explain(`${text} ${path}${because}`, meaning);
    }
    case "connect":
      return explain(text + because, errno === refused ? "refused" : failure);
    default:
      return explain(failure === "errno" ? text + because : text);
  }
}
