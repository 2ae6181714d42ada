import { VmError } from "../errors.ts";
import type { MachineExit } from "../machine.ts";
import type { MachineRecord } from "../machine-record.ts";

/** The failure of everything that is done with a machine that has ended. @param exit - How, when somebody saw it. */
export function machineDied(
  { process: { pid } }: Pick<MachineRecord, "process">,
  exit: MachineExit | undefined,
): VmError {
  const how = exit === undefined ? "" : ` (${exit.reason})`;
  const said = exit?.message === undefined ? "" : `: ${exit.message}`;
  return new VmError({
    code: "VM_MACHINE_DIED",
    message: `the machine with process ${pid} has ended${how}${said}`,
    details: { pid, ...(exit === undefined ? {} : { exit }) },
  });
}
