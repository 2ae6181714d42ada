import { assembleArm64 } from "./arm64.ts";
import { elfMachine, writeElf } from "./elf.ts";
import { assembleX86 } from "./x86-64.ts";

/** The instruction sets the sample is made for, by the names that OCI images use. */
export type Architecture = "amd64" | "arm64";

/** Every {@link Architecture}, in the order of the image's index. */
export const architectures: readonly Architecture[] = ["amd64", "arm64"];

/**
 * Writes the sample's program: a static executable of a few hundred bytes that prints
 * `hello from box, running on Linux RELEASE` and ends with 0, or with 1 when it cannot print.
 */
export function writeHello(architecture: Architecture): Uint8Array<ArrayBuffer> {
  return architecture === "amd64"
    ? writeElf({ machine: elfMachine.x86, pageSizeBytes: 0x1000, code: assembleX86() })
    : writeElf({ machine: elfMachine.arm64, pageSizeBytes: 0x10000, code: assembleArm64() });
}
