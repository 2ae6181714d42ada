import { expect, onTestFinished, test, vi } from "vitest";
import { createProcessHost } from "../../src/host/process-host.ts";

/** A host of this process, and its Ctrl-C. */
function hostWithKeys() {
  let press: () => void = () => {};
  const spy = vi.spyOn(process, "on").mockImplementation((name, handler) => {
    if (name === "SIGINT") press = handler as () => void;
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
