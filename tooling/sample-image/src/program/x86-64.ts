import { assemble, type Line, type Reference, zeroTerminated } from "./assembly.ts";
import { greeting, stack, utsname } from "./greeting.ts";

/** Numbers of Linux system calls on x86-64. */
const systemCall = { write: 1, exit: 60, uname: 63 } as const;

/** The machine code of the sample program for x86-64, its entry point first. Runs on Linux without any library. */
export function assembleX86(): Uint8Array<ArrayBuffer> {
  return assemble([
    bytes(0x48, 0x81, 0xec, ...int32(stack.sizeBytes)), // sub rsp, 1024
    bytes(0x48, 0x89, 0xe7), //                            mov rdi, rsp
    ...call(systemCall.uname),
    bytes(0x85, 0xc0), //                                  test eax, eax
    nearJump(0x75, "fail"), //                             jnz fail

    bytes(0x48, 0x8d, 0xbc, 0x24, ...int32(stack.line)), // lea rdi, [rsp + line]
    relative([0x48, 0x8d, 0x35], "greeting"), //           lea rsi, [rip + greeting]
    relative([0xe8], "append"), //                         call append
    bytes(0x48, 0x8d, 0xb4, 0x24, ...int32(utsname.sysname)), // lea rsi, [rsp + sysname]
    relative([0xe8], "append"),
    ...appendCharacter(" "),
    bytes(0x48, 0x8d, 0xb4, 0x24, ...int32(utsname.release)), // lea rsi, [rsp + release]
    relative([0xe8], "append"),
    ...appendCharacter("\n"),

    bytes(0x48, 0x8d, 0xb4, 0x24, ...int32(stack.line)), // lea rsi, [rsp + line]
    bytes(0x48, 0x89, 0xfa), //                            mov rdx, rdi
    bytes(0x48, 0x29, 0xf2), //                            sub rdx, rsi
    bytes(0xbf, ...int32(1)), //                           mov edi, 1 (standard output)
    ...call(systemCall.write),
    bytes(0x48, 0x85, 0xc0), //                            test rax, rax
    nearJump(0x7e, "fail"), //                             jle fail
    bytes(0x31, 0xff), //                                  xor edi, edi
    nearJump(0xeb, "exit"), //                             jmp exit

    { label: "fail" },
    bytes(0xbf, ...int32(1)), //                           mov edi, 1
    { label: "exit" },
    ...call(systemCall.exit),

    // Copies the text at rsi to rdi, without its zero byte, and leaves rdi behind the copy.
    { label: "append" },
    bytes(0xac), //                                        lodsb
    bytes(0x84, 0xc0), //                                  test al, al
    nearJump(0x74, "appended"), //                         jz appended
    bytes(0xaa), //                                        stosb
    nearJump(0xeb, "append"), //                           jmp append
    { label: "appended" },
    bytes(0xc3), //                                        ret

    { label: "greeting" },
    zeroTerminated(greeting),
  ]);
}

/** `mov eax, number; syscall`: the arguments are in rdi, rsi, rdx; the result comes back in rax. */
function call(number: number): Line[] {
  return [bytes(0xb8, ...int32(number)), bytes(0x0f, 0x05)];
}

/** `mov byte [rdi], character; inc rdi`. */
function appendCharacter(character: string): Line[] {
  return [bytes(0xc6, 0x07, character.charCodeAt(0)), bytes(0x48, 0xff, 0xc7)];
}

/** An instruction that ends with a distance of 32 bits, counted from the instruction's end. */
function relative(opcode: readonly number[], to: string): Reference {
  const length = opcode.length + 4;
  return { to, length, encode: (distance) => bytes(...opcode, ...int32(distance - length)) };
}

/** A jump with a distance of 8 bits, counted from the instruction's end. */
function nearJump(opcode: number, to: string): Reference {
  const encode = (distance: number): Uint8Array => {
    const rest = distance - 2;
    if (rest < -128 || rest > 127) throw new Error(`${to} is ${rest} bytes away, too far to jump`);
    return bytes(opcode, rest & 0xff);
  };
  return { to, length: 2, encode };
}

function int32(value: number): Uint8Array {
  const encoded = new Uint8Array(4);
  new DataView(encoded.buffer).setInt32(0, value, true);
  return encoded;
}

function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values);
}
