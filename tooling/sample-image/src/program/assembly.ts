/** A place in the code that other instructions refer to. */
interface Label {
  /** Its name, unique in the program. */
  readonly label: string;
}

/** An instruction whose bytes depend on how far away a label is. */
export interface Reference {
  /** The label it refers to. */
  readonly to: string;
  /** Its length in bytes. */
  readonly length: number;
  /** Its bytes, given the distance in bytes from its own first byte to the label. */
  readonly encode: (distance: number) => Uint8Array;
}

/** One line of a program: bytes as they are, a label, or an instruction that refers to one. */
export type Line = Uint8Array | Label | Reference;

/**
 * Puts a program's lines together: places the labels, then encodes the instructions that refer to them.
 *
 * @throws Error when a label is named that no line has, or when an instruction is not as long as it says.
 */
export function assemble(lines: readonly Line[]): Uint8Array<ArrayBuffer> {
  const labels = new Map<string, number>();
  let sizeBytes = 0;
  for (const line of lines) {
    if ("label" in line) labels.set(line.label, sizeBytes);
    else sizeBytes += line.length;
  }

  const code = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const line of lines) {
    if ("label" in line) continue;
    code.set("to" in line ? encodeReference(line, offset, labels) : line, offset);
    offset += line.length;
  }
  return code;
}

/** Text as the C language keeps it: UTF-8 with a zero byte at the end. */
export function zeroTerminated(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}

function encodeReference(
  reference: Reference,
  offset: number,
  labels: ReadonlyMap<string, number>,
): Uint8Array {
  const target = labels.get(reference.to);
  if (target === undefined) throw new Error(`no line has the label ${reference.to}`);
  const bytes = reference.encode(target - offset);
  if (bytes.length !== reference.length) {
    throw new Error(`the instruction to ${reference.to} has ${bytes.length} bytes`);
  }
  return bytes;
}
