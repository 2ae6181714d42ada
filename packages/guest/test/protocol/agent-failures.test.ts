import { type AgentStep, type ExecMessage, explainFailure } from "@box/guest/protocol";
import { expect, test } from "vitest";

const request: ExecMessage = {
  type: "exec",
  streamId: 1,
  target: "box",
  uid: 0,
  gid: 0,
  groups: [],
  workingDirectory: "/work",
  places: ["/usr/bin/tool", "/bin/tool"],
  command: ["tool", "-x"],
  environment: [],
};

test.each<[AgentStep, number, number, string, string]>([
  ["fields", 0, 0, "protocol", "a frame has wrong fields, or data is beyond the credit"],
  ["version", 0, 7, "version", "the agent speaks version 7 of the protocol"],
  ["going-down", 0, 0, "not-ready", "the guest is going down"],
  ["too-many", 11, 0, "too-many", "too many streams are open"],
  ["process", 11, 0, "errno", "cannot start a process: Resource temporarily unavailable"],
  ["terminal", 28, 0, "errno", "cannot open a terminal: No space left on device"],
  ["folder", 2, 0, "no-such-cwd", "no such folder: /work"],
  ["folder", 40, 0, "no-such-cwd", "no such folder: /work"],
  ["folder", 13, 0, "errno", "cannot enter the folder /work: Permission denied"],
  ["user", 1, 0, "errno", "cannot become the user: Operation not permitted"],
  ["program", 2, 0, "not-found", "no such program: tool"],
  ["program", 13, 1, "not-executable", "cannot execute /bin/tool: Permission denied"],
  ["program", 8, 1, "not-executable", "cannot execute /bin/tool: Exec format error"],
  ["program", 7, 0, "errno", "cannot execute /usr/bin/tool: Argument list too long"],
  ["program", 1000, 65_535, "errno", "cannot execute tool: error 1000"],
  ["interpreter", 2, 1, "not-found", "the interpreter of /bin/tool is not there"],
  ["connect", 111, 0, "refused", "cannot connect: Connection refused"],
  ["connect", 110, 0, "errno", "cannot connect: Operation timed out"],
  ["cancelled", 125, 0, "errno", "was cancelled: Operation canceled"],
])("%s with error %i at %i", (step, errno, place, failure, message) => {
  expect(explainFailure({ step, errno, place }, request)).toEqual({ failure, errno, message });
});

test("a program that was asked for by its path is named by it", () => {
  const asked = { ...request, places: ["/a/b"], command: ["/a/b"] };
  expect(explainFailure({ step: "program", errno: 13, place: 0 }, asked)).toEqual({
    failure: "not-executable",
    errno: 13,
    message: "cannot execute /a/b: Permission denied",
  });
});

test("a failure of what is no command is told as well", () => {
  const message = "no such program: ";
  expect(explainFailure({ step: "program", errno: 2, place: 3 })).toMatchObject({ message });
});
