import type { VmErrorCode } from "../errors.ts";
import type { MachineRecord } from "../machine-record.ts";
import type { MachineSpec } from "../machine-spec.ts";
import type { SentError } from "./link/messages.ts";
import type { TemplatePlace } from "./template/template-folder.ts";

/** What a starter tells the supervisor that it has started, as the first line of its input. */
export interface Launch {
  readonly spec: MachineSpec;
  readonly qemu: {
    readonly path: string;
    readonly args: readonly string[];
    readonly setpriv?: string | undefined;
  };
  /** Where the state of such machines is saved, for faster starts; nowhere unless given. */
  readonly template?:
    | (TemplatePlace & {
        /** The words for QEMU that go with a saved state. */
        readonly args: readonly string[];
        /** How long a machine may take to come up from its state, or to be saved, in milliseconds. */
        readonly timeoutMs: number;
      })
    | undefined;
  /** Where handles find the supervisor. */
  readonly socket: string;
  /** What else goes into the record's details. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** The one line that a supervisor answers, once QEMU runs or when it does not. */
export type LaunchAnswer =
  | { readonly record: MachineRecord; readonly warnings?: readonly SentWarning[] }
  | { readonly error: SentError };

/** What was not as it should be while a machine started. */
export interface SentWarning {
  readonly code?: VmErrorCode;
  readonly message: string;
}

/**
 * The second line of the supervisor's input: somebody knows of the machine. Input that ends before it ends the machine; input
 * that ends later does so when the machine belongs to its owner.
 */
export const keepLine = "keep";

/** The name of the engine in records. */
export const engineName = "qemu";
