import type { BoxDetails, BoxSummary } from "@box/runtime";
import * as z from "zod";
import type { CreateRequest, OperationRecord, PrepareRequest } from "../box-service.ts";
import type { Problem } from "../problem.ts";

/** Schemas that the OpenAPI document names under `components`. */
export const namedSchemas: z.core.$ZodRegistry<{ id: string }> = z.registry<{ id: string }>();

const errorKind: z.ZodType<Problem["kind"]> = z.string();
const time: z.ZodType<string> = z.iso.datetime();
const details: z.ZodType<Record<string, unknown>> = z.record(z.string(), z.unknown());

const errorReport = z.looseObject({
  code: z.string(),
  kind: errorKind,
  message: z.string(),
  details,
  hint: z.string().optional(),
  retryable: z.boolean(),
  cause: z.array(z.string()),
});

/** An error answer. */
export const problem: z.ZodType<Problem> = z.strictObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  instance: z.string().optional(),
  code: z.string(),
  kind: errorKind,
  details,
  hint: z.string().optional(),
  retryable: z.boolean(),
  cause: z.array(z.string()),
}) as z.ZodType<Problem>;

const restart = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("no") }),
  z.strictObject({
    type: z.literal("on-failure"),
    maxRetries: z.int().min(1).max(1_000_000).optional(),
  }),
  z.strictObject({ type: z.literal("always") }),
]);

const runSettings = z.strictObject({
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
  restart,
});

const machineExit = z.looseObject({
  reason: z.string(),
  exitCode: z.int().optional(),
  signal: z.string().optional(),
  message: z.string().optional(),
  atMs: z.number().optional(),
});

const summaryShape = {
  id: z.string(),
  name: z.string(),
  state: z.string(),
  image: z.looseObject({ reference: z.string(), digest: z.string().optional() }),
  guestRootfs: z.looseObject({ type: z.enum(["disk", "initramfs"]) }),
  labels: z.record(z.string(), z.string()),
  autoRemove: z.boolean(),
  run: runSettings,
  restarts: z.int(),
  stopRequested: z.boolean(),
  exit: machineExit.optional(),
  createdAt: time,
  updatedAt: time,
  error: errorReport.optional(),
};

/** A box in a list. */
export const boxSummary: z.ZodType<BoxSummary> = z.looseObject(
  summaryShape,
) as unknown as z.ZodType<BoxSummary>;

const disk = z.looseObject({
  role: z.string(),
  path: z.string(),
  virtualSizeBytes: z.int(),
  madeMs: z.int(),
  base: z
    .looseObject({ path: z.string(), sizeBytes: z.int(), format: z.enum(["raw", "qcow2"]) })
    .optional(),
});

/** Everything about a box. */
export const boxDetails: z.ZodType<BoxDetails> = z.looseObject({
  ...summaryShape,
  directory: z.string(),
  disks: z.strictObject({ user: disk.optional(), guest: disk.optional() }),
  machine: z.looseObject({ id: z.string(), engine: z.string(), startedMs: z.number() }).optional(),
  operations: z.array(z.looseObject({ id: z.string(), kind: z.string(), state: z.string() })),
  history: z.array(z.looseObject({ type: z.string(), sequence: z.int() })),
}) as unknown as z.ZodType<BoxDetails>;

/** Long work. */
export const operation: z.ZodType<OperationRecord> = z.looseObject({
  id: z.string(),
  kind: z.string(),
  box: z.strictObject({ id: z.string().optional(), name: z.string() }),
  state: z.enum(["running", "succeeded", "failed", "cancelled", "interrupted"]),
  traceId: z.string().optional(),
  startedAt: time,
  finishedAt: time.optional(),
  error: errorReport.optional(),
}) as unknown as z.ZodType<OperationRecord>;

const boxName = z.string().min(1).max(63);
const reference = z.string().min(1).max(4096);

/** The body of a request that makes a box. */
export const createRequest: z.ZodType<CreateRequest> = z.strictObject({
  image: reference.meta({ description: "NAME[:TAG][@DIGEST], oci:DIR[:TAG] and so on" }),
  name: boxName,
  guestRootfs: reference.meta({ description: "a reference, or none" }).optional(),
  diskSizeBytes: z.int().positive().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  autoRemove: z.boolean().optional(),
  run: runSettings.partial().optional(),
  pull: z.enum(["missing", "always", "never"]).optional(),
});

/** The body of a request that prepares a box; may be left out. */
export const prepareRequest: z.ZodType<PrepareRequest> = z.strictObject({
  recreateDisk: z.boolean().optional(),
});

/** The name in a path. */
export const boxParams: z.ZodType<{ readonly name: string }> = z.strictObject({ name: boxName });

/** The id in a path. */
export const operationParams: z.ZodType<{ readonly id: string }> = z.strictObject({
  id: z.string().min(1).max(64),
});

/** A key that makes a request repeatable. */
export const idempotencyHeaders: z.ZodType<{ readonly "idempotency-key"?: string | undefined }> =
  z.looseObject({
    "idempotency-key": z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/, "must be 1 to 255 visible ASCII characters")
      .optional(),
  });

namedSchemas.add(problem, { id: "Problem" });
namedSchemas.add(boxSummary, { id: "BoxSummary" });
namedSchemas.add(boxDetails, { id: "BoxDetails" });
namedSchemas.add(operation, { id: "Operation" });
namedSchemas.add(createRequest, { id: "CreateRequest" });
namedSchemas.add(prepareRequest, { id: "PrepareRequest" });
