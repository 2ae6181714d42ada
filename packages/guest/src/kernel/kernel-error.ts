import { GuestError } from "../errors.ts";

/** What is damaged in a kernel or module. */
export function kernelInvalid(what: string, fault: string): GuestError {
  return new GuestError({
    code: "GUEST_KERNEL_INVALID",
    message: `${what} is damaged: ${fault}`,
    details: { what, fault },
    hint: "install the kernel's package again, or name another kernel",
  });
}
