import type { FastifyReply } from "fastify";
import type { Answer } from "../openapi/responses.ts";
import { operation } from "../openapi/schemas.ts";
import type { Launched } from "../operations/operation-launcher.ts";

/** The name in a path. */
export interface NameParams {
  /** The box. */
  readonly name: string;
}

/** The header that makes a request repeatable. */
export interface IdempotencyHeaders {
  /** The key. */
  readonly "idempotency-key"?: string;
}

/** The answer to a request that begins an operation. */
export const accepted: Readonly<Record<"202", Answer>> = {
  202: { description: "Begun; Location names the operation to follow", schema: operation },
};

/** Answers with an operation that has begun, by this or by an equal request. */
export function accept(reply: FastifyReply, { record, isReplay }: Launched): FastifyReply {
  if (isReplay) reply.header("idempotent-replayed", "true");
  return reply.code(202).header("location", `/v1/operations/${record.id}`).send(record);
}
