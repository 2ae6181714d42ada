import type { CodePages } from "./page.ts";

/** Codes of `@box/guest`. */
export const guestPages: CodePages = {
  GUEST_ARCHITECTURE_UNKNOWN: {
    meaning: "There is no guest system for this machine's architecture: neither amd64 nor arm64.",
    advice: "Use box on such a machine, or give an image of your own with --guest-rootfs REF.",
  },
};
