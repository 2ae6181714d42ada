import type { FastifyInstance } from "fastify";
import * as z from "zod";
import type { BoxService, WorkContext } from "../box-service.ts";
import { responses } from "../openapi/responses.ts";
import { boxParams, idempotencyHeaders } from "../openapi/schemas.ts";
import {
  cloneRequest,
  exportRequest,
  resizeRequest,
  restartRequest,
  snapshot,
  snapshotParams,
  snapshotRequest,
  startRequest,
  stopRequest,
} from "../openapi/verb-schemas.ts";
import type { OperationLauncher } from "../operations/operation-launcher.ts";
import { accept, accepted, type IdempotencyHeaders, type NameParams } from "./accept.ts";

/** Work on one box that a `POST` begins. */
interface Verb<Body> {
  /** The last part of the path. */
  readonly path: string;
  /** The kind of the operation. */
  readonly kind: string;
  readonly operationId: string;
  readonly summary: string;
  readonly body: z.ZodType<Body>;
  /** What an absent body stands for; there must be one without it. */
  readonly absent?: Body;
  work(boxes: BoxService, name: string, body: Body, context: WorkContext): Promise<unknown>;
}

/** Adds the routes that change one box, each as an operation, and those of its snapshots. */
export function addBoxVerbRoutes(
  app: FastifyInstance,
  boxes: BoxService,
  launcher: OperationLauncher,
): void {
  const add = <Body>(verb: Verb<Body>) => addVerb(app, boxes, launcher, verb);
  add({
    path: "start",
    kind: "start",
    operationId: "startBox",
    summary: "Judge the disks of a box, start its machine and make its guest ready",
    body: startRequest,
    absent: {},
    work: (service, ...rest) => service.start(...rest),
  });
  add({
    path: "stop",
    kind: "stop",
    operationId: "stopBox",
    summary: "Stop a box; one that does not run stays stopped",
    body: stopRequest,
    absent: {},
    work: (service, ...rest) => service.stop(...rest),
  });
  add({
    path: "restart",
    kind: "restart",
    operationId: "restartBox",
    summary: "Stop a box when it runs, and start it",
    body: restartRequest,
    absent: {},
    work: (service, ...rest) => service.restart(...rest),
  });
  add({
    path: "clone",
    kind: "clone",
    operationId: "cloneBox",
    summary: "Make a box with copies of both disks of another",
    body: cloneRequest,
    work: (service, ...rest) => service.clone(...rest),
  });
  add({
    path: "resize",
    kind: "resize",
    operationId: "resizeBox",
    summary: "Grow the disk of a box",
    body: resizeRequest,
    work: (service, ...rest) => service.resize(...rest),
  });
  add({
    path: "export",
    kind: "export",
    operationId: "exportBox",
    summary: "Write a box as an archive, into a file of the server's machine",
    body: exportRequest,
    work: (service, ...rest) => service.export(...rest),
  });
  add({
    path: "snapshots",
    kind: "snapshot-create",
    operationId: "createSnapshot",
    summary: "Take a snapshot of the disk of a box",
    body: snapshotRequest,
    work: (service, ...rest) => service.createSnapshot(...rest),
  });
  addSnapshotRoutes(app, boxes, launcher);
}

function addVerb<Body>(
  app: FastifyInstance,
  boxes: BoxService,
  launcher: OperationLauncher,
  { path, kind, operationId, summary, body: schema, absent, work }: Verb<Body>,
): void {
  app.post<{ Params: NameParams; Body: Body | null; Headers: IdempotencyHeaders }>(
    `/v1/boxes/:name/${path}`,
    {
      schema: {
        operationId,
        summary,
        tags: ["boxes"],
        params: boxParams,
        headers: idempotencyHeaders,
        body: absent === undefined ? schema : z.nullable(schema),
        response: responses(accepted),
      },
    },
    async ({ params: { name }, body, headers }, reply) => {
      const given = (body ?? absent) as Body;
      // An unknown box is told at once.
      await boxes.inspect(name);
      const launched = await launcher.launch({
        kind,
        boxName: name,
        key: headers["idempotency-key"],
        route: `POST /v1/boxes/${name}/${path}`,
        body: given,
        work: (context) => work(boxes, name, given, context),
      });
      return accept(reply, launched);
    },
  );
}

interface SnapshotParams extends NameParams {
  readonly snapshot: string;
}

function addSnapshotRoutes(
  app: FastifyInstance,
  boxes: BoxService,
  launcher: OperationLauncher,
): void {
  app.get<{ Params: NameParams }>(
    "/v1/boxes/:name/snapshots",
    {
      schema: {
        operationId: "listSnapshots",
        summary: "The snapshots of the disk of a box, the oldest first",
        tags: ["boxes"],
        params: boxParams,
        response: responses({
          200: {
            description: "The snapshots",
            schema: z.strictObject({ snapshots: z.array(snapshot) }),
          },
        }),
      },
    },
    async ({ params: { name } }) => ({ snapshots: await boxes.listSnapshots(name) }),
  );
  app.post<{ Params: SnapshotParams; Headers: IdempotencyHeaders }>(
    "/v1/boxes/:name/snapshots/:snapshot/restore",
    {
      schema: {
        operationId: "restoreSnapshot",
        summary: "Make the disk of a box what it was; what was written since is lost",
        tags: ["boxes"],
        params: snapshotParams,
        headers: idempotencyHeaders,
        response: responses(accepted),
      },
    },
    async ({ params, headers }, reply) => {
      const { name } = params;
      await boxes.inspect(name);
      const launched = await launcher.launch({
        kind: "snapshot-restore",
        boxName: name,
        key: headers["idempotency-key"],
        route: `POST /v1/boxes/${name}/snapshots/${params.snapshot}/restore`,
        body: {},
        work: (context) => boxes.restoreSnapshot(name, { snapshot: params.snapshot }, context),
      });
      return accept(reply, launched);
    },
  );
  app.delete<{ Params: SnapshotParams }>(
    "/v1/boxes/:name/snapshots/:snapshot",
    {
      schema: {
        operationId: "removeSnapshot",
        summary: "Remove a snapshot of the disk of a box",
        tags: ["boxes"],
        params: snapshotParams,
        response: responses({ 204: { description: "It is gone" } }),
      },
    },
    async ({ params }, reply) => {
      await boxes.removeSnapshot(params.name, params.snapshot);
      return reply.code(204).send();
    },
  );
}
