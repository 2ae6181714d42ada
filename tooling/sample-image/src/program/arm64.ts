import { assemble, type Line, type Reference, zeroTerminated } from "./assembly.ts";
import { greeting, stack, utsname } from "./greeting.ts";

/** Numbers of Linux system calls on arm64. */
const systemCall = { write: 64, exit: 93, uname: 160 } as const;

/** Register 31 is the stack pointer in additions and loads, and always zero elsewhere. */
const sp = 31;
/** Where the next character goes; a system call leaves it alone. */
const cursor = 19;

/** The machine code of the sample program for arm64, its entry point first. Runs on Linux without any library. */
export function assembleArm64(): Uint8Array<ArrayBuffer> {
  return assemble([
    word(0xd1000000 | (stack.sizeBytes << 10) | (sp << 5) | sp), // sub sp, sp, #1024
    addImmediate(0, sp, 0), //                     mov x0, sp
    ...call(systemCall.uname),
    toLabel(0xb5000000, "fail", imm19), //         cbnz x0, fail

    addImmediate(cursor, sp, stack.line), //       add x19, sp, #line
    toLabel(0x10000001, "greeting", addressOffset), // adr x1, greeting
    toLabel(0x94000000, "append", imm26), //       bl append
    addImmediate(1, sp, utsname.sysname), //       add x1, sp, #sysname
    toLabel(0x94000000, "append", imm26),
    ...appendCharacter(" "),
    addImmediate(1, sp, utsname.release), //       add x1, sp, #release
    toLabel(0x94000000, "append", imm26),
    ...appendCharacter("\n"),

    moveImmediate(0, 1), //                        mov x0, #1 (standard output)
    addImmediate(1, sp, stack.line), //            add x1, sp, #line
    word(0xcb000000 | (1 << 16) | (cursor << 5) | 2), // sub x2, x19, x1
    ...call(systemCall.write),
    word(0xf100001f), //                           cmp x0, #0
    toLabel(0x5400000d, "fail", imm19), //         b.le fail
    moveImmediate(0, 0), //                        mov x0, #0
    toLabel(0x14000000, "exit", imm26), //         b exit

    { label: "fail" },
    moveImmediate(0, 1), //                        mov x0, #1
    { label: "exit" },
    ...call(systemCall.exit),

    // Copies the text at x1 to the cursor, without its zero byte, and leaves the cursor behind the copy.
    { label: "append" },
    word(0x38401400 | (1 << 5) | 2), //            ldrb w2, [x1], #1
    toLabel(0x34000002, "appended", imm19), //     cbz w2, appended
    storeCharacter,
    toLabel(0x14000000, "append", imm26), //       b append
    { label: "appended" },
    word(0xd65f03c0), //                           ret

    { label: "greeting" },
    zeroTerminated(greeting),
  ]);
}

/** `strb w2, [x19], #1`. */
const storeCharacter: Uint8Array = word(0x38001400 | (cursor << 5) | 2);

/** `mov w2, #character; strb w2, [x19], #1`. */
function appendCharacter(character: string): Line[] {
  return [word(0x52800000 | (character.charCodeAt(0) << 5) | 2), storeCharacter];
}

/** `mov x8, #number; svc #0`: the arguments are in x0, x1, x2; the result comes back in x0. */
function call(number: number): Line[] {
  return [moveImmediate(8, number), word(0xd4000001)];
}

/** `mov xD, #value`, for values below 65536. */
function moveImmediate(to: number, value: number): Uint8Array {
  return word(0xd2800000 | (value << 5) | to);
}

/** `add xD, xN, #value`, for values below 4096. */
function addImmediate(to: number, from: number, value: number): Uint8Array {
  return word(0x91000000 | (value << 10) | (from << 5) | to);
}

/** An instruction that holds the distance to a label, as `field` encodes it. */
function toLabel(opcode: number, to: string, field: (distance: number) => number): Reference {
  return { to, length: 4, encode: (distance) => word(opcode | field(distance)) };
}

/** A distance of up to 1 MiB in instructions, at bit 5: `cbz`, `cbnz`, `b.cond`. */
function imm19(distance: number): number {
  return ((distance >> 2) & 0x7ffff) << 5;
}

/** A distance of up to 128 MiB in instructions, at bit 0: `b`, `bl`. */
function imm26(distance: number): number {
  return (distance >> 2) & 0x3ffffff;
}

/** A distance of up to 1 MiB in bytes: the two low bits at bit 29, the others at bit 5: `adr`. */
function addressOffset(distance: number): number {
  return ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5);
}

function word(instruction: number): Uint8Array {
  const encoded = new Uint8Array(4);
  new DataView(encoded.buffer).setUint32(0, instruction >>> 0, true);
  return encoded;
}
