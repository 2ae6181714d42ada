import { bootCalls, endCalls } from "../calls/boot-calls.ts";
import { buildCpio, type CpioEntry } from "./cpio.ts";

/** What an initramfs is made from. */
export interface AssembleInitramfsOptions {
  /** The agent: it becomes `/init`. */
  readonly agent: Uint8Array;
  /** Kernel modules, uncompressed, in the order that they are loaded in. */
  readonly modules: readonly KernelModule[];
}

/** A kernel module. */
export interface KernelModule {
  /** Its file name, such as `virtio.ko`. */
  readonly fileName: string;
  /** Its bytes, uncompressed. */
  readonly content: Uint8Array;
}

const folder = 0o040755;
const program = 0o100755;
const file = 0o100644;
const characterDevice = 0o020600;

/** Assembles the initramfs of a guest: the agent, what it does first and last, kernel modules and the console. The same input gives the same bytes. */
export function assembleInitramfs({ agent, modules }: AssembleInitramfsOptions): Uint8Array {
  const boot = bootCalls(modules.map(({ fileName }) => `/modules/${fileName}`));
  const entries: CpioEntry[] = [
    { path: "dev", mode: folder },
    // Without it the kernel gives the agent no standard streams, and nobody hears why it cannot start.
    { path: "dev/console", mode: characterDevice, device: { major: 5, minor: 1 } },
    { path: "boot", mode: file, content: boot },
    { path: "end", mode: file, content: endCalls() },
    { path: "init", mode: program, content: agent },
    { path: "modules", mode: folder },
    ...modules.map(({ fileName, content }) => ({
      path: `modules/${fileName}`,
      mode: file,
      content,
    })),
  ];
  return buildCpio(entries);
}
