import { isShaped } from "../shape.ts";

/** How far sending a machine's state has come, in the words of QEMU's `query-migrate`. */
export function migrationStatus(reply: unknown): {
  readonly status?: string | undefined;
  readonly reason?: string | undefined;
} {
  const status = isShaped(reply, { status: "string" }) ? reply.status : undefined;
  const reason = isShaped(reply, { "error-desc": "string" }) ? reply["error-desc"] : undefined;
  return { status, reason };
}

/** What a machine does, in the words of QEMU's `query-status`, such as `running`, `paused` or `inmigrate`. */
export function runStatus(reply: unknown): string {
  if (isShaped(reply, { status: "string" })) return reply.status;
  throw new Error("QEMU does not tell what its machine does");
}
