import type { BoxDetails } from "@box/runtime";
import * as z from "zod";
import { boxDetails } from "../../boxes/box-schemas.ts";
import type { ProgramInput } from "../../machines/program-input.ts";
import { programShape } from "../../machines/program-shape.ts";

/** What `box create` takes. */
export interface CreateInput extends ProgramInput {
  /** The image. */
  readonly ref: string;
  /** The box's name. */
  readonly name?: string | undefined;
  /** A reference, or `none`. */
  readonly guestRootfs?: string | undefined;
  /** Whether it has a network card. */
  readonly net?: boolean | undefined;
  /** Folders of this host, which no box can have. */
  readonly volume?: readonly string[] | undefined;
  /** Such as `10GiB`. */
  readonly diskSize?: string | undefined;
  /** Texts such as `tier=front`. */
  readonly label?: readonly string[] | undefined;
  /** Whether the box goes away when it has stopped. */
  readonly rm?: boolean | undefined;
  /** What becomes of the box when its machine has ended by itself. */
  readonly restart?: string | undefined;
  /** When the registry is asked. */
  readonly pull?: "missing" | "always" | "never" | undefined;
}

const text = z.string().min(1);
const optionalText = text.optional();

/** The schema of {@link CreateInput}. */
export const input: z.ZodType<CreateInput> = z.strictObject({
  ...programShape,
  ref: text,
  name: optionalText,
  guestRootfs: optionalText,
  diskSize: z.string().optional(),
  label: z.array(text).optional(),
  rm: z.boolean().optional(),
  restart: optionalText,
  net: z.boolean().optional(),
  volume: z.array(z.string()).optional(),
  pull: z.enum(["missing", "always", "never"]).optional(),
});

/** What `box create` and `box prepare` print. */
export interface PreparedOutput {
  /** The box as it is now. */
  readonly box: BoxDetails;
  /** Id of the operation. */
  readonly operation: string;
}

/** The schema of {@link PreparedOutput}. */
export const output: z.ZodType<PreparedOutput> = z.lazy(() =>
  z.strictObject({ box: boxDetails, operation: z.string() }),
);
