import { GuestError } from "../errors.ts";

/** Gathers a payload; refuses what its fields cannot hold. */
export class PayloadWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  u8(value: number, name: string): this {
    return this.#number(value, 1, 0xff, name, (view) => view.setUint8(0, value));
  }

  u16(value: number, name: string): this {
    return this.#number(value, 2, 0xffff, name, (view) => view.setUint16(0, value, true));
  }

  u32(value: number, name: string): this {
    return this.#number(value, 4, 0xffff_ffff, name, (view) => view.setUint32(0, value, true));
  }

  u64(value: bigint, name: string): this {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) throw invalid(name, "0 to 2^64 - 1");
    return this.#number(0, 8, 0, name, (view) => view.setBigUint64(0, value, true));
  }

  /** Exactly `length` bytes. */
  bytes(value: Uint8Array, length: number, name: string): this {
    if (value.length !== length) throw invalid(name, `${length} bytes`);
    return this.#append(value.slice());
  }

  /** UTF-8 and a NUL. */
  text(value: string, name: string): this {
    if (value.includes("\0")) throw invalid(name, "without NUL");
    return this.#append(new TextEncoder().encode(`${value}\0`));
  }

  texts(values: readonly string[], name: string): this {
    for (const value of values) this.text(value, name);
    return this;
  }

  /** UTF-8 without an end, as the last field. */
  rest(value: string): this {
    return this.#append(new TextEncoder().encode(value));
  }

  finish(): Uint8Array {
    const payload = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      payload.set(part, at);
      at += part.length;
    }
    return payload;
  }

  #number(
    value: number,
    width: number,
    most: number,
    name: string,
    put: (view: DataView) => void,
  ): this {
    if (!Number.isInteger(value) || value < 0 || value > most) throw invalid(name, `0 to ${most}`);
    const bytes = new Uint8Array(width);
    put(new DataView(bytes.buffer));
    return this.#append(bytes);
  }

  #append(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return this;
  }
}

/** A field that cannot be sent as it is. */
export function invalid(name: string, wanted: string): GuestError {
  return new GuestError({
    code: "GUEST_REQUEST_INVALID",
    message: `the guest cannot be asked for this: ${name} must be ${wanted}`,
    details: { field: name, wanted },
  });
}
