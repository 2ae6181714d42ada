import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { BoxService, CreateRequest, PrepareRequest } from "../box-service.ts";
import { responses } from "../openapi/responses.ts";
import {
  boxDetails,
  boxParams,
  boxSummary,
  createRequest,
  idempotencyHeaders,
  prepareRequest,
} from "../openapi/schemas.ts";
import type { OperationLauncher } from "../operations/operation-launcher.ts";
import { accept, accepted, type IdempotencyHeaders, type NameParams } from "./accept.ts";

/** Adds the routes of boxes. */
export function addBoxRoutes(
  app: FastifyInstance,
  boxes: BoxService,
  launcher: OperationLauncher,
): void {
  addReadingRoutes(app, boxes);
  app.post<{ Body: CreateRequest; Headers: IdempotencyHeaders }>(
    "/v1/boxes",
    {
      schema: {
        operationId: "createBox",
        summary: "Make a box's disks from an image",
        tags: ["boxes"],
        headers: idempotencyHeaders,
        body: createRequest,
        response: responses(accepted),
      },
    },
    async ({ body, headers }, reply) => {
      const launched = await launcher.launch({
        kind: "create",
        boxName: body.name,
        key: headers["idempotency-key"],
        route: "POST /v1/boxes",
        body,
        work: (context) => boxes.create(body, context),
      });
      return accept(reply, launched);
    },
  );
  app.post<{ Params: NameParams; Body: PrepareRequest | null; Headers: IdempotencyHeaders }>(
    "/v1/boxes/:name/prepare",
    {
      schema: {
        operationId: "prepareBox",
        summary: "Apply the overlay rules to both disks of a box",
        tags: ["boxes"],
        params: boxParams,
        headers: idempotencyHeaders,
        body: z.nullable(prepareRequest),
        response: responses(accepted),
      },
    },
    async ({ params: { name }, body, headers }, reply) => {
      await boxes.inspect(name);
      const launched = await launcher.launch({
        kind: "prepare",
        boxName: name,
        key: headers["idempotency-key"],
        route: `POST /v1/boxes/${name}/prepare`,
        body: body ?? {},
        work: (context) => boxes.prepare(name, body ?? {}, context),
      });
      return accept(reply, launched);
    },
  );
  app.delete<{ Params: NameParams }>(
    "/v1/boxes/:name",
    {
      schema: {
        operationId: "removeBox",
        summary: "Remove a box and its disks",
        tags: ["boxes"],
        params: boxParams,
        response: responses({ 204: { description: "It is gone" } }),
      },
    },
    async ({ params: { name } }, reply) => {
      await boxes.remove(name);
      return reply.code(204).send();
    },
  );
}

function addReadingRoutes(app: FastifyInstance, boxes: BoxService): void {
  app.get(
    "/v1/boxes",
    {
      schema: {
        operationId: "listBoxes",
        summary: "Every box of the home",
        tags: ["boxes"],
        response: responses({
          200: { description: "The boxes", schema: z.strictObject({ boxes: z.array(boxSummary) }) },
        }),
      },
    },
    async () => ({ boxes: await boxes.list() }),
  );
  app.get<{ Params: NameParams }>(
    "/v1/boxes/:name",
    {
      schema: {
        operationId: "inspectBox",
        summary: "Everything about a box: disks, operations and what happened to it",
        tags: ["boxes"],
        params: boxParams,
        response: responses({ 200: { description: "The box", schema: boxDetails } }),
      },
    },
    async ({ params: { name } }) => boxes.inspect(name),
  );
}
