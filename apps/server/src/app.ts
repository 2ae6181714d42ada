import swagger from "@fastify/swagger";
import { type FastifyInstance, type FastifyRequest, fastify } from "fastify";
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from "fastify-type-provider-zod";
import type { BoxService } from "./box-service.ts";
import { ServerError } from "./errors.ts";
import { answerClientErrors } from "./net/client-error.ts";
import type { Guard } from "./net/guard.ts";
import { type KnownPaths, watchRoutes } from "./net/known-paths.ts";
import { namedSchemas } from "./openapi/schemas.ts";
import { withoutUnusedSchemas } from "./openapi/used-components.ts";
import type { LiveOperations } from "./operations/live-operations.ts";
import type { OperationLauncher } from "./operations/operation-launcher.ts";
import type { Operations } from "./operations/operations.ts";
import { sendProblem } from "./problem.ts";
import { addBoxVerbRoutes } from "./routes/box-verbs.ts";
import { addBoxRoutes } from "./routes/boxes.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addOperationRoutes } from "./routes/operations.ts";
import { addStorageRoutes } from "./routes/storage.ts";

/** What {@link buildApp} is made from. */
export interface AppOptions {
  /** The boxes. */
  readonly boxes: BoxService;
  /** Operations of this process. */
  readonly live: LiveOperations;
  /** Operations of the home. */
  readonly operations: Operations;
  /** Starts operations. */
  readonly launcher: OperationLauncher;
  /** Checks a request before anything else; none on a unix socket, where the mode of the file does. */
  readonly guard: () => Guard | undefined;
  /** Of the server. */
  readonly version: string;
  /** The largest body. */
  readonly bodyLimitBytes: number;
  /** Whether the document says that callers need a key. */
  readonly hasApiKey: boolean;
  /** Where log lines go, as JSON; none without it. */
  readonly log?: ((line: string) => void) | undefined;
}

/** The HTTP application, not yet listening. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { log, version, launcher } = options;
  const clientErrors = answerClientErrors();
  const app = fastify({
    bodyLimit: options.bodyLimitBytes,
    forceCloseConnections: "idle",
    logger: log === undefined ? false : { level: "info", stream: { write: log } },
    // A client that sends its request too slowly is not waited for.
    requestTimeout: 60_000,
    // Node would answer these itself, without a problem.
    clientErrorHandler: clientErrors.handle,
    http: { requireHostHeader: false },
    frameworkErrors: sendProblem,
  });
  clientErrors.watch(app.server);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(sendProblem);
  answerUnknownRoutes(app, watchRoutes(app));
  acceptEmptyBodies(app);
  app.addHook("onRequest", async (request) => {
    requireHost(request);
    options.guard()?.check(request);
  });
  await addDocument(app, options);
  addHealthRoutes(app, { isReady: () => launcher.isReady, version });
  addBoxRoutes(app, options.boxes, launcher);
  addBoxVerbRoutes(app, options.boxes, launcher);
  addStorageRoutes(app, options.boxes.storage);
  addOperationRoutes(app, options.operations, options.live);
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
  return app;
}

/** 405 with the methods that there are where only the method is wrong, else 404. */
function answerUnknownRoutes(app: FastifyInstance, paths: KnownPaths): void {
  app.setNotFoundHandler((request, reply) => {
    const { method, url } = request;
    const [path = ""] = url.split("?");
    const allowed = paths.methodsOf(path);
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    const error =
      allowed.length === 0
        ? new ServerError({
            code: "SERVER_ROUTE_NOT_FOUND",
            message: `there is no ${method} ${path}`,
            hint: "GET /openapi.json lists what there is",
          })
        : new ServerError({
            code: "SERVER_METHOD_NOT_ALLOWED",
            message: `there is no ${method} of ${path}`,
            details: { allowed },
            hint: `what there is: ${allowed.join(", ")}`,
          });
    sendProblem(error, request, reply);
  });
}

/** HTTP/1.1 wants the header, and Node is told to leave the check to us. */
function requireHost({ headers, raw }: FastifyRequest): void {
  if (headers.host !== undefined || raw.httpVersion === "1.0") return;
  throw new ServerError({
    code: "SERVER_BAD_REQUEST",
    message: "the request has no Host header",
    hint: "send the header: Host: localhost",
  });
}

/** An empty body is no body, even where a client says it is JSON. */
function acceptEmptyBodies(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser("application/json");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined);
    else void parseJson(request, body as string, done);
  });
}

async function addDocument(
  app: FastifyInstance,
  { version, hasApiKey }: AppOptions,
): Promise<void> {
  const nameSchemas = createJsonSchemaTransformObject({ schemaRegistry: namedSchemas });
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.1",
      info: {
        title: "Box",
        version,
        description: "Disks for micro-VMs from OCI images",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      tags: [{ name: "boxes" }, { name: "storage" }, { name: "operations" }, { name: "health" }],
      components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
      security: hasApiKey ? [{ key: [] }] : [],
    },
    transform: createJsonSchemaTransform({ schemaRegistry: namedSchemas }),
    transformObject: (document) => withoutUnusedSchemas(nameSchemas(document)),
  });
}
