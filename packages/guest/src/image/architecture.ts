import { GuestError } from "../errors.ts";

/** What a guest can run on, by the names that OCI images use. */
export type GuestArchitecture = "amd64" | "arm64";

/** Every {@link GuestArchitecture}. */
export const guestArchitectures: readonly GuestArchitecture[] = ["amd64", "arm64"];

/**
 * Takes a name that came from outside, such as from an option, as an architecture.
 *
 * @throws GuestError `GUEST_ARCHITECTURE_UNKNOWN` (unsupported).
 */
export function parseGuestArchitecture(name: string): GuestArchitecture {
  const found = guestArchitectures.find((architecture) => architecture === name);
  if (found !== undefined) return found;
  throw new GuestError({
    code: "GUEST_ARCHITECTURE_UNKNOWN",
    message: `there is no guest image for the architecture ${JSON.stringify(name)}`,
    details: { architecture: name, known: guestArchitectures },
    hint: `use one of ${guestArchitectures.join(", ")}`,
  });
}
