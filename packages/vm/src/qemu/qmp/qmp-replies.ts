import * as z from "zod/mini";

const migration = z.object({
  status: z.optional(z.string()),
  "error-desc": z.optional(z.string()),
});
const run = z.object({ status: z.string() });

/** How far sending a machine's state has come, in the words of QEMU's `query-migrate`. */
export function migrationStatus(reply: unknown): {
  readonly status?: string | undefined;
  readonly reason?: string | undefined;
} {
  const { status, "error-desc": reason } = migration.parse(reply);
  return { status, reason };
}

/** What a machine does, in the words of QEMU's `query-status`, such as `running`, `paused` or `inmigrate`. */
export function runStatus(reply: unknown): string {
  return run.parse(reply).status;
}
