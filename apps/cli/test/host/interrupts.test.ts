import { expect, onTestFinished, test, vi } from "vitest";
import { createProcessHost } from "../../src/host/process-host.ts";

/** A host of this process, and its Ctrl-C, or another signal of it. */
function hostWithKeys(key = "SIGINT") {
  let press: () => void = () => {};
  const spy = vi.spyOn(process, "on").mockImplementation((name, handler) => {
    if (name === key) press = handler as () => void;
    return process;
  });
  const { emitWarning } = process;
  onTestFinished(() => {
    process.emitWarning = emitWarning;
  });
  const host = createProcessHost();
  spy.mockRestore();
  return { host, press: () => press() };
}

test("Ctrl-C goes to who takes it, and aborts the signal when it is not taken", () => {
  const { host, press } = hostWithKeys();
  const answers = [true, false];
  host.onInterrupt(() => answers.shift() ?? false);
  press();
  expect(host.signal.aborted).toBe(false);
  press();
  expect(host.signal.reason).toMatchObject({ code: "CLI_INTERRUPTED" });
  expect(host.signalExitCode()).toBe(130);
});

test("Ctrl-C aborts the signal when nobody takes it any more", () => {
  const { host, press } = hostWithKeys();
  host.onInterrupt(() => true)();
  press();
  expect(host.signal.aborted).toBe(true);
});

test("SIGTERM goes to who takes it by its name, and SIGHUP to nobody", () => {
  const { host, press } = hostWithKeys("SIGTERM");
  const taken: string[] = [];
  host.onInterrupt((name) => taken.push(name) === 1);
  press();
  expect([taken, host.signal.aborted]).toEqual([["SIGTERM"], false]);
  press();
  expect(host.signalExitCode()).toBe(143);
  const { host: other, press: hangUp } = hostWithKeys("SIGHUP");
  other.onInterrupt(() => true);
  hangUp();
  expect(other.signalExitCode()).toBe(129);
});
