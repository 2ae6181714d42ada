import { isShaped, parseJson } from "../shape.ts";
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
const shape = {
  format: "number",
  makers: { qemu: "string", boot: "string", host: "string" },
  madeMs: "number",
} as const;
const savedShape = {
  file: "string",
  lengthBytes: "number",
  sha256: "string",
  qemuVersion: "string",
} as const;

/** Reads a record; undefined for what is none. */
export function parseTemplateRecord(text: string): TemplateRecord | undefined {
  const value = parseJson(text);
  if (!isShaped(value, shape) || value.format !== 1) return undefined;
  const { makers, madeMs } = value;
  if (isShaped(value, { fault: "string" }))
    return { format: 1, makers, madeMs, fault: value.fault };
  if (!isShaped(value, savedShape)) return undefined;
  const { file, lengthBytes, sha256, qemuVersion } = value;
  const isSound = Number.isSafeInteger(lengthBytes) && lengthBytes > 0;
  if (!isSound || !statePattern.test(file) || !digestPattern.test(sha256)) return undefined;
  return { format: 1, makers, madeMs, file, lengthBytes, sha256, qemuVersion };
}
