import type { PortForward } from "@box/vm";
import { CliError } from "../errors.ts";

/** What `[[ADDRESS:]HOST:]GUEST` says, such as `8080:80`, `0.0.0.0:8080:80`, `80` or `80/tcp`. @throws CliError `CLI_INVALID_ARGUMENT`. */
export function parsePort(text: string): PortForward {
  const pattern = /^(?:(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]+):)?(\d{0,5}):)?(\d{1,5})(?:\/tcp)?$/;
  const [, address, host = "", guest = ""] = pattern.exec(text) ?? [];
  const [hostPort, guestPort] = [Number(host), Number(guest)];
  if (guestPort < 1 || guestPort > 65_535 || hostPort > 65_535) {
    throw new CliError({
      code: "CLI_INVALID_ARGUMENT",
      message: `no port can be forwarded like that: ${JSON.stringify(text)}`,
      hint: "write HOST:GUEST such as 8080:80, or ADDRESS:HOST:GUEST such as 0.0.0.0:8080:80",
    });
  }
  return {
    ...(address === undefined ? {} : { hostAddress: address.replace(/^\[|\]$/g, "") }),
    hostPort,
    guestPort,
  };
}

/** Where a forwarded port is listened on, as it is written. */
export function formatAddress(hostAddress: string, hostPort: number): string {
  return hostAddress.includes(":") ? `[${hostAddress}]:${hostPort}` : `${hostAddress}:${hostPort}`;
}
