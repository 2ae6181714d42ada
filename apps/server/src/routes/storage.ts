import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { PruneRequest, StorageService } from "../box-service.ts";
import { responses } from "../openapi/responses.ts";
import { pruneReport, pruneRequest, storageUsage } from "../openapi/verb-schemas.ts";

/** Adds the routes about the space of the home. */
export function addStorageRoutes(app: FastifyInstance, storage: StorageService): void {
  app.get(
    "/v1/storage",
    {
      schema: {
        operationId: "getStorage",
        summary: "Where the space of the home goes, and what a prune would give back",
        tags: ["storage"],
        response: responses({ 200: { description: "In bytes", schema: storageUsage } }),
      },
    },
    async () => storage.usage(),
  );
  app.post<{ Body: PruneRequest | null }>(
    "/v1/storage/prune",
    {
      schema: {
        operationId: "pruneStorage",
        summary: "Remove what nothing uses, or tell what would be removed",
        tags: ["storage"],
        body: z.nullable(pruneRequest),
        response: responses({
          200: { description: "What went, what stays, and why", schema: pruneReport },
        }),
      },
    },
    async ({ body, raw }) => {
      // Who leaves wants no more of it; what is gone by then stays gone.
      const gone = new AbortController();
      raw.socket.on("close", () => gone.abort());
      return storage.prune(body ?? {}, gone.signal);
    },
  );
}
