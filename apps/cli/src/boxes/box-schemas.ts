import type { BoxDetails, BoxSummary } from "@box/runtime";
import * as z from "zod";

// Schemas of what is printed are for documents and tests: no command makes them.

/** The schema of a box in a list. */
export const boxSummary: z.ZodType<BoxSummary> = z.lazy(() =>
  z.strictObject(summaryShape()),
) as unknown as z.ZodType<BoxSummary>;

/** The schema of everything about a box. */
export const boxDetails: z.ZodType<BoxDetails> = z.lazy(() => {
  const texts = z.array(z.string());
  const optionalDisk = diskSchema().optional();
  return z.strictObject({
    ...summaryShape(),
    directory: z.string(),
    imageConfig: z
      .strictObject({
        environment: environmentSchema(),
        entrypoint: texts,
        command: texts,
        workingDirectory: z.string(),
        user: z.string(),
        stopSignal: z.string().optional(),
      })
      .optional(),
    disks: z.strictObject({ user: optionalDisk, guest: optionalDisk }),
    machine: z.looseObject({ id: z.string(), engine: z.string() }).optional(),
    operations: z.array(z.looseObject({ id: z.string(), kind: z.string(), state: z.string() })),
    history: z.array(z.looseObject({ type: z.string(), sequence: z.int() })),
  });
}) as unknown as z.ZodType<BoxDetails>;

function summaryShape() {
  const time = z.iso.datetime();
  return {
    id: z.string(),
    name: z.string(),
    state: z.string(),
    image: z.strictObject({ reference: z.string(), digest: z.string().optional() }),
    guestRootfs: z.discriminatedUnion("type", [
      z.strictObject({
        type: z.literal("disk"),
        reference: z.string().optional(),
        imageDigest: z.string().optional(),
        environment: environmentSchema().optional(),
      }),
      z.strictObject({ type: z.literal("initramfs") }),
    ]),
    labels: z.record(z.string(), z.string()),
    autoRemove: z.boolean(),
    run: z.strictObject({
      memoryMiB: z.int(),
      cpus: z.int(),
      command: z.array(z.string()).optional(),
      usesEntrypoint: z.boolean().optional(),
      hostname: z.string().optional(),
      entrypoint: z.array(z.string()).optional(),
      stopSignal: z.string().optional(),
      groups: z.array(z.string()).optional(),
      environment: z.array(z.tuple([z.string(), z.string()])).optional(),
      workingDirectory: z.string().optional(),
      user: z.string().optional(),
      terminal: z.boolean().optional(),
      keepsInput: z.boolean().optional(),
      forwards: z
        .array(
          z.strictObject({
            hostAddress: z.string().optional(),
            hostPort: z.int(),
            guestPort: z.int(),
          }),
        )
        .optional(),
      network: z.enum(["none", "user"]).optional(),
      restart: z.strictObject({
        type: z.enum(["no", "on-failure", "always"]),
        maxRetries: z.int().optional(),
      }),
    }),
    restarts: z.int(),
    stopRequested: z.boolean(),
    exit: z.looseObject({ reason: z.string(), exitCode: z.int().optional() }).optional(),
    createdAt: time,
    updatedAt: time,
    error: z.looseObject({ code: z.string(), kind: z.string(), message: z.string() }).optional(),
  };
}

function environmentSchema() {
  return z.array(z.tuple([z.string(), z.string()]));
}

function diskSchema() {
  const base = z.strictObject({
    path: z.string(),
    sizeBytes: z.int(),
    format: z.enum(["raw", "qcow2"]),
    key: z.string().optional(),
    digest: z.string().optional(),
  });
  return z.strictObject({
    role: z.enum(["user", "guest"]),
    path: z.string(),
    base: base.optional(),
    virtualSizeBytes: z.int(),
    madeMs: z.int(),
  });
}
