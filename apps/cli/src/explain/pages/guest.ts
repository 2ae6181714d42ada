import type { CodePages } from "./page.ts";

/** Codes of `@box/guest`. */
export const guestPages: CodePages = {
  GUEST_ARCHITECTURE_UNKNOWN: {
    meaning: "There is no guest system for this machine's architecture: neither amd64 nor arm64.",
    advice: "Use box on such a machine, or give an image of your own with --guest-rootfs REF.",
  },
  GUEST_PROTOCOL: {
    meaning: "What came from the virtual machine is no message of the agent that runs in it.",
    advice:
      "Stop it and start it again. If it comes back, other software has taken the agent's place.",
  },
  GUEST_REQUEST_INVALID: {
    meaning: "A command or path cannot be sent to the guest, such as one with a NUL in it.",
    advice: "Mend what the message names.",
  },
  GUEST_REQUEST_TOO_LARGE: {
    meaning: "A command line and its environment are larger than a message to the guest may be.",
    advice: "Shorten them; put long input into a file or into the command's standard input.",
  },
};
