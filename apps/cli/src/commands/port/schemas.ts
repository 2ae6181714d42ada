import * as z from "zod";

/** What `box port` takes. */
export interface PortInput {
  /** The box. */
  readonly name: string;
  /** More ports to forward, such as `8080:80`. */
  readonly publish?: readonly string[] | undefined;
}

/** The schema of {@link PortInput}. */
export const input: z.ZodType<PortInput> = z.strictObject({
  name: z.string().min(1),
  publish: z.array(z.string().min(1)).optional(),
});

/** What `box port` prints. */
export type PortOutput = readonly {
  readonly hostAddress: string;
  readonly hostPort: number;
  readonly guestPort: number;
}[];

/** The schema of {@link PortOutput}. */
export const output: z.ZodType<PortOutput> = z.array(
  z.strictObject({ hostAddress: z.string(), hostPort: z.int(), guestPort: z.int() }),
);
