import type { FastifyInstance } from "fastify";
import * as z from "zod";
import { responses } from "../openapi/responses.ts";

/** What the health routes ask. */
export interface HealthState {
  /** Whether the server takes new work. */
  isReady(): boolean;
  /** Of the server. */
  readonly version: string;
}

/** Adds the routes for probes, and the version. */
export function addHealthRoutes(app: FastifyInstance, health: HealthState): void {
  const status = z.strictObject({ status: z.enum(["ok", "stopping"]) });
  app.get(
    "/livez",
    {
      schema: {
        operationId: "livez",
        summary: "Whether the server runs",
        tags: ["health"],
        security: [],
        response: responses({ 200: { description: "It runs", schema: status } }),
      },
    },
    async () => ({ status: "ok" }),
  );
  app.get(
    "/readyz",
    {
      schema: {
        operationId: "readyz",
        summary: "Whether the server takes new work",
        tags: ["health"],
        security: [],
        response: responses({
          200: { description: "It does", schema: status },
          503: { description: "It is stopping", schema: status },
        }),
      },
    },
    async (_request, reply) => {
      if (health.isReady()) return { status: "ok" };
      return reply.code(503).send({ status: "stopping" });
    },
  );
  app.get(
    "/v1/version",
    {
      schema: {
        operationId: "getVersion",
        summary: "The server's version",
        tags: ["health"],
        response: responses({
          200: { description: "The version", schema: z.strictObject({ version: z.string() }) },
        }),
      },
    },
    async () => ({ version: health.version }),
  );
}
