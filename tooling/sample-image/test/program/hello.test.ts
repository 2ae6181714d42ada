import { type Architecture, architectures, greeting, writeHello } from "@box/sample-image";
import { describe, expect, test } from "vitest";
import { codeOffset } from "../../src/program/elf.ts";

/** `e_machine` and the greatest page size, from each processor's supplement to the System V ABI. */
const facts: Readonly<Record<Architecture, { machine: number; pageSizeBytes: number }>> = {
  amd64: { machine: 62, pageSizeBytes: 0x1000 },
  arm64: { machine: 183, pageSizeBytes: 0x10000 },
};

describe.each(architectures)("the program for %s", (architecture) => {
  const program = writeHello(architecture);
  const view = new DataView(program.buffer);
  const baseAddress = 0x400000;

  test("is a little-endian 64-bit executable for its machine", () => {
    expect([...program.subarray(0, 7)]).toEqual([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    expect(view.getUint16(16, true)).toBe(2);
    expect(view.getUint16(18, true)).toBe(facts[architecture].machine);
  });

  test("starts at its first instruction, inside the segment that is loaded", () => {
    expect(Number(view.getBigUint64(24, true))).toBe(baseAddress + codeOffset);
    expect(codeOffset % 16).toBe(0);
    expect(codeOffset).toBeLessThan(program.length);
  });

  test("loads the whole file, to read and run but not to write, on a page boundary", () => {
    const header = Number(view.getBigUint64(32, true));
    const at = (offset: number): number => Number(view.getBigUint64(header + offset, true));
    expect(view.getUint32(header, true)).toBe(1);
    expect(view.getUint32(header + 4, true)).toBe(5);
    expect([at(8), at(16), at(32), at(40)]).toEqual([
      0,
      baseAddress,
      program.length,
      program.length,
    ]);
    expect(at(48)).toBe(facts[architecture].pageSizeBytes);
    expect(baseAddress % at(48)).toBe(0);
  });

  test("asks for a stack that cannot be run", () => {
    const second = Number(view.getBigUint64(32, true)) + view.getUint16(54, true);
    expect(view.getUint16(56, true)).toBe(2);
    expect(view.getUint32(second, true)).toBe(0x6474e551);
    expect(view.getUint32(second + 4, true)).toBe(6);
  });

  test("needs no library and no loader: neither PT_INTERP nor PT_DYNAMIC nor sections", () => {
    expect(view.getUint16(60, true)).toBe(0);
    expect(view.getUint32(64, true)).not.toBe(3);
  });

  test("ends with its greeting", () => {
    const tail = new TextDecoder().decode(program.subarray(-greeting.length - 1));
    expect(tail).toBe(`${greeting}\0`);
  });
});

test("the arm64 code is whole instructions that make three system calls and return once", () => {
  const program = writeHello("arm64");
  const code = program.subarray(codeOffset, program.length - greeting.length - 1);
  expect(code.length % 4).toBe(0);
  const view = new DataView(code.buffer, code.byteOffset, code.length);
  const words = Array.from({ length: code.length / 4 }, (_, i) => view.getUint32(i * 4, true));
  // movz x8, #number before each svc #0: uname, write, exit.
  const callNumbers = words.flatMap((word, i) =>
    word === 0xd4000001 ? [((words[i - 1] ?? 0) >>> 5) & 0xffff] : [],
  );
  expect(callNumbers).toEqual([160, 64, 93]);
  expect(words.filter((word) => word === 0xd65f03c0)).toHaveLength(1);
  expect(words.at(-1)).toBe(0xd65f03c0);
});

test("the arm64 code jumps only to its own instructions", () => {
  const program = writeHello("arm64");
  const instructions = (program.length - codeOffset - greeting.length - 1) / 4;
  const view = new DataView(program.buffer, codeOffset);
  const jumps: number[] = [];
  for (let i = 0; i < instructions; i++) {
    const word = view.getUint32(i * 4, true);
    if ((word & 0x7c000000) === 0x14000000) jumps.push(i + ((word << 6) >> 6));
    if ((word & 0x7e000000) === 0x34000000) jumps.push(i + ((word << 8) >> 13));
    if (word >>> 24 === 0x54) jumps.push(i + ((word << 8) >> 13));
  }
  expect(jumps).toHaveLength(8);
  for (const target of jumps) {
    expect(target).toBeGreaterThanOrEqual(0);
    expect(target).toBeLessThan(instructions);
  }
});
