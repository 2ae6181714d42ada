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
  GUEST_COMPILER_MISSING: {
    meaning: "The agent of virtual machines has to be compiled, and there is no C compiler.",
    advice: "Install one: apt-get install musl-tools on Debian and Ubuntu.",
  },
  GUEST_COMPILE_FAILED: {
    meaning: "The C compiler of this machine cannot make the agent of virtual machines.",
    advice: "Install musl-tools, or the static C library for gcc; the details have what it said.",
  },
  GUEST_KERNEL_MISSING: {
    meaning: "There is no kernel, or no kernel module, that a virtual machine could boot with.",
    advice: "Install linux-image-cloud-amd64 on Debian, or name another kernel.",
  },
  GUEST_KERNEL_INVALID: {
    meaning: "A file that should be a kernel or one of its modules is damaged, or is none.",
    advice: "Install the kernel's package again, or name another kernel.",
  },
  GUEST_KERNEL_UNSUPPORTED: {
    meaning: "A kernel module is packed in a way that cannot be unpacked here, such as with xz.",
    advice: "Unpack the module beside the packed one, or name another kernel.",
  },
  GUEST_KERNEL_UNPACK_FAILED: {
    meaning: "The package of a kernel could not be fetched or unpacked.",
    advice: "Run apt-get update and try again, or name a kernel that is there already.",
  },
};
