import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { OperationRecord } from "../box-service.ts";
import { ServerError } from "../errors.ts";
import { responses } from "../openapi/responses.ts";
import { operation, operationParams } from "../openapi/schemas.ts";
import { chooseForm, streamEvents } from "../operations/event-stream.ts";
import type { LiveOperations } from "../operations/live-operations.ts";
import type { Operations } from "../operations/operations.ts";

interface IdParams {
  readonly id: string;
}

const longestWaitMs = 300_000;

/** Adds the routes of operations. */
export function addOperationRoutes(
  app: FastifyInstance,
  operations: Operations,
  live: LiveOperations,
): void {
  app.get(
    "/v1/operations",
    {
      schema: {
        operationId: "listOperations",
        summary: "Operations of the home, the newest first",
        tags: ["operations"],
        response: responses({
          200: {
            description: "The operations",
            schema: z.strictObject({ operations: z.array(operation) }),
          },
        }),
      },
    },
    async () => ({ operations: await operations.list() }),
  );
  app.get<{ Params: IdParams }>(
    "/v1/operations/:id",
    {
      schema: {
        operationId: "getOperation",
        summary: "One operation",
        tags: ["operations"],
        params: operationParams,
        response: responses({ 200: { description: "The operation", schema: operation } }),
      },
    },
    async ({ params: { id } }) => operations.get(id),
  );
  app.delete<{ Params: IdParams }>(
    "/v1/operations/:id",
    {
      schema: {
        operationId: "cancelOperation",
        summary: "Ask an operation of this server to stop",
        description: "409 when it has ended, or when another process carries it out.",
        tags: ["operations"],
        params: operationParams,
        response: responses({
          202: { description: "Asked; it ends as cancelled", schema: operation },
        }),
      },
    },
    async ({ params: { id } }, reply) => {
      const record = await operations.get(id);
      if (!live.cancel(id)) throw notRunning(await operations.get(id));
      return reply.code(202).send(record);
    },
  );
  addFollowingRoutes(app, operations);
}

function notRunning({ id, state }: OperationRecord): ServerError {
  const isForeign = state === "running";
  return new ServerError({
    code: "SERVER_OPERATION_NOT_RUNNING",
    message: isForeign
      ? `cannot cancel the operation ${id}: another process carries it out`
      : `cannot cancel the operation ${id}: it has ended as ${state}`,
    details: { operation: id, state },
    hint: isForeign
      ? "end it where it was started"
      : "GET /v1/operations/ID tells how it ended; undo what it did, if you want, by a new request",
  });
}

function addFollowingRoutes(app: FastifyInstance, operations: Operations): void {
  app.get<{ Params: IdParams; Querystring: { readonly timeoutMs: number } }>(
    "/v1/operations/:id/wait",
    {
      schema: {
        operationId: "waitForOperation",
        summary: "The operation when it has ended, or as it is after the time",
        tags: ["operations"],
        params: operationParams,
        querystring: z.strictObject({
          timeoutMs: z.coerce.number().int().min(0).max(longestWaitMs).default(30_000),
        }),
        response: responses({ 200: { description: "The operation", schema: operation } }),
      },
    },
    async ({ params: { id }, query: { timeoutMs }, raw }) => {
      const gone = new AbortController();
      raw.on("close", () => gone.abort());
      return operations.wait(id, AbortSignal.any([gone.signal, AbortSignal.timeout(timeoutMs)]));
    },
  );
  app.get<{
    Params: IdParams;
    Headers: { readonly "last-event-id"?: number; readonly accept?: string };
  }>(
    "/v1/operations/:id/events",
    {
      schema: {
        operationId: "followOperation",
        summary: "The operation's events as they come: server-sent events, or NDJSON by Accept",
        description:
          "Frames carry the event's sequence number as id; Last-Event-ID leaves out what was seen. The last event is of type done. Who has seen it gets 204, which tells an EventSource not to come back.",
        tags: ["operations"],
        params: operationParams,
        headers: z.looseObject({
          "last-event-id": z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
        }),
        response: {
          ...responses({ 204: { description: "All events were seen, the last one too" } }),
          200: {
            description: "The events",
            content: {
              "text/event-stream": { schema: z.string() },
              "application/x-ndjson": { schema: z.string() },
            },
          },
        },
      },
    },
    async ({ params: { id }, headers, raw }, reply) => {
      const afterSequence = headers["last-event-id"] ?? 0;
      const { state } = await operations.get(id);
      if (state !== "running" && (await operations.isBeyond(id, afterSequence))) {
        return reply.code(204).send();
      }
      const form = chooseForm(headers.accept);
      const gone = new AbortController();
      raw.on("close", () => gone.abort());
      const events = streamEvents(operations, { id, form, afterSequence, signal: gone.signal });
      return reply.header("cache-control", "no-store").type(form).send(Readable.from(events));
    },
  );
}
