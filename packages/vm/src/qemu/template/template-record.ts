import * as z from "zod/mini";
import type { TemplateMakers } from "./template-key.ts";

/** What stands beside a template. */
export type TemplateRecord = {
  readonly format: 1;
  readonly makers: TemplateMakers;
  /** In milliseconds since 1970. */
  readonly madeMs: number;
} & (
  | {
      /** Name of the file with the state, beside the record. */
      readonly file: string;
      readonly lengthBytes: number;
      /** 64 hexadecimal digits. */
      readonly sha256: string;
      /** As QEMU told it. */
      readonly qemuVersion: string;
    }
  /** A saved machine did not come up here: for a while none is saved. */
  | { readonly fault: string }
);

/** The name of a file with a state: nothing that leads elsewhere. */
const statePattern = /^[0-9a-f]{32}-[0-9a-f]{16}\.state$/;
const digestPattern = /^[0-9a-f]{64}$/;
const version = z.literal(1);
const makers = z.strictObject({ qemu: z.string(), boot: z.string(), host: z.string() });
const madeMs = z.number();

const schema: z.ZodMiniType<TemplateRecord> = z.union([
  z.strictObject({
    format: version,
    makers,
    madeMs,
    file: z.string().check(z.regex(statePattern)),
    lengthBytes: z.int().check(z.minimum(1)),
    sha256: z.string().check(z.regex(digestPattern)),
    qemuVersion: z.string(),
  }),
  z.strictObject({ format: version, makers, madeMs, fault: z.string() }),
]);

/** Reads a record; undefined for what is none. */
export function parseTemplateRecord(text: string): TemplateRecord | undefined {
  try {
    const { success, data } = schema.safeParse(JSON.parse(text));
    return success ? data : undefined;
  } catch {
    return undefined;
  }
}
