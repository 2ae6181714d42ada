import { linuxSignals } from "@box/guest/protocol";
import { VmError } from "./errors.ts";

/** The number of a signal such as `SIGTERM`. @throws VmError `VM_SPEC_INVALID`. */
export function signalNumber(name: string): number {
  const signal = Object.hasOwn(linuxSignals, name) ? linuxSignals[name] : undefined;
  if (signal !== undefined) return signal;
  throw new VmError({
    code: "VM_SPEC_INVALID",
    message: `there is no signal ${JSON.stringify(name)}`,
    details: { signal: name },
    hint: "name one such as SIGTERM",
  });
}
