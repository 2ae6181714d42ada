/** What the sample program says before it names its kernel. */
export const greeting = "hello from box, running on ";

/** Bytes of one field of `struct new_utsname` in Linux, which `uname` fills; the text ends with a zero byte. */
const utsnameFieldBytes = 65;

/** Where `struct new_utsname` keeps what the program prints. */
export const utsname: { readonly sysname: number; readonly release: number } = {
  /** The kernel's name, such as `Linux`. */
  sysname: 0,
  /** The kernel's release, such as `6.1.0-42-cloud-amd64`; after `sysname` and `nodename`. */
  release: 2 * utsnameFieldBytes,
};

/** How the program uses its stack: `struct new_utsname` (390 bytes) at the bottom, the line it prints above it. */
export const stack = {
  /** Bytes the program takes. */
  sizeBytes: 1024,
  /** Where the line is put together. */
  line: 512,
} as const;
