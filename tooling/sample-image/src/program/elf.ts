/** What the kernel needs to know to start a program without libraries. */
export interface ElfProgram {
  /** The instruction set: `EM_X86_64` or `EM_AARCH64`. */
  readonly machine: number;
  /** The greatest page size of the machine in bytes; the program starts on such a boundary. */
  readonly pageSizeBytes: number;
  /** The machine code and its constants; execution starts at its first byte. */
  readonly code: Uint8Array;
}

/** `e_machine` of the instruction sets we write programs for. */
export const elfMachine = { x86: 62, arm64: 183 } as const;

const headerBytes = 64;
const programHeaderBytes = 56;
const programHeaders = 2;
const baseAddress = 0x400000;

/** Where the code begins in the file; a multiple of 16, so that instructions are aligned. */
export const codeOffset: number =
  Math.ceil((headerBytes + programHeaders * programHeaderBytes) / 16) * 16;

/**
 * Makes a static ELF executable: the header, one segment that holds the whole file and may be read and
 * run but not written, and one entry that makes the stack not executable. No sections, no libraries.
 *
 * @see ELF-64 Object File Format, version 1.5, sections 3 (header) and 7 (program header)
 */
export function writeElf({ machine, pageSizeBytes, code }: ElfProgram): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(codeOffset + code.length);
  const view = new DataView(file.buffer);
  // offset, size, name                                          meaning
  file.set([0x7f, 0x45, 0x4c, 0x46]); //  0  4 e_ident           "\x7fELF"
  view.setUint8(4, 2); //                 4  1 EI_CLASS          64 bits
  view.setUint8(5, 1); //                 5  1 EI_DATA           little-endian
  view.setUint8(6, 1); //                 6  1 EI_VERSION
  view.setUint16(16, 2, true); //        16  2 e_type            ET_EXEC
  view.setUint16(18, machine, true); //  18  2 e_machine
  view.setUint32(20, 1, true); //        20  4 e_version
  view.setBigUint64(24, BigInt(baseAddress + codeOffset), true); // 24 8 e_entry
  view.setBigUint64(32, BigInt(headerBytes), true); // 32 8 e_phoff
  view.setUint16(52, headerBytes, true); //        52 2 e_ehsize
  view.setUint16(54, programHeaderBytes, true); // 54 2 e_phentsize
  view.setUint16(56, programHeaders, true); //     56 2 e_phnum
  view.setUint16(58, 64, true); //                 58 2 e_shentsize (there are no sections)

  const first = new DataView(file.buffer, headerBytes, programHeaderBytes);
  first.setUint32(0, 1, true); //        0  4 p_type             PT_LOAD
  first.setUint32(4, 5, true); //        4  4 p_flags            PF_R | PF_X
  first.setBigUint64(8, 0n, true); //    8  8 p_offset
  first.setBigUint64(16, BigInt(baseAddress), true); // 16 8 p_vaddr
  first.setBigUint64(24, BigInt(baseAddress), true); // 24 8 p_paddr
  first.setBigUint64(32, BigInt(file.length), true); // 32 8 p_filesz
  first.setBigUint64(40, BigInt(file.length), true); // 40 8 p_memsz
  first.setBigUint64(48, BigInt(pageSizeBytes), true); // 48 8 p_align

  const second = new DataView(file.buffer, headerBytes + programHeaderBytes, programHeaderBytes);
  second.setUint32(0, 0x6474e551, true); // 0 4 p_type           PT_GNU_STACK
  second.setUint32(4, 6, true); //       4  4 p_flags            PF_R | PF_W
  second.setBigUint64(48, 16n, true); // 48 8 p_align

  file.set(code, codeOffset);
  return file;
}
