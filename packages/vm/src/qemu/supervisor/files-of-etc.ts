import type { MachineNetwork } from "../../machine-spec.ts";

/** The name server of QEMU's user-mode network. */
const nameServer = "10.0.2.3";

/**
 * Files of `/etc` that a box sees in place of its image's, by name, as with docker. Its own name leads to its loopback: ports
 * of the host are forwarded to there.
 */
export function filesOfEtc(
  hostname: string,
  network: MachineNetwork = "none",
): readonly (readonly [name: string, text: string])[] {
  const hosts = `127.0.0.1\tlocalhost ${hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
  return [
    ["hosts", hosts],
    ["hostname", `${hostname}\n`],
    ...(network === "user" ? [["resolv.conf", `nameserver ${nameServer}\n`] as const] : []),
  ];
}
