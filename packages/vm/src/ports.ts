import { VmError } from "./errors.ts";

/** A port of the host whose connections go to a port of the guest's loopback. */
export interface PortForward {
  /** The address of the host that is listened on; 127.0.0.1 unless given. */
  readonly hostAddress?: string | undefined;
  /** 1 to 65535; 0 for one that the system chooses. */
  readonly hostPort: number;
  /** 1 to 65535. */
  readonly guestPort: number;
}

/** A {@link PortForward} that is listened on. */
export interface OpenPortForward extends PortForward {
  readonly hostAddress: string;
}

/** Where is listened unless an address is given: only programs of the host itself reach it. */
export const loopbackAddress = "127.0.0.1";

/** Refuses what is no forwarded port. @throws VmError `VM_SPEC_INVALID`. */
export function checkPortForward({ hostPort, guestPort }: PortForward): void {
  const isPort = (port: number, least: number) =>
    Number.isInteger(port) && port >= least && port <= 65_535;
  if (isPort(hostPort, 0) && isPort(guestPort, 1)) return;
  throw new VmError({
    code: "VM_SPEC_INVALID",
    message: `no port can be forwarded like that: ${hostPort} to ${guestPort}`,
    details: { hostPort, guestPort },
    hint: "ports are numbers from 1 to 65535",
  });
}
