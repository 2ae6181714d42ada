import { httpStatusOf, isBoxError, toErrorReport } from "@box/errors";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { ServerError, type ServerErrorCode, transportStatuses } from "./errors.ts";

/** The media type of every error answer. */
export const problemType = "application/problem+json";

/** An error as RFC 9457 wants it, with the fields of box's error report beside. */
export interface Problem {
  /** Names the code as a URN. */
  readonly type: string;
  /** The kind of failure. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** One sentence for a person. */
  readonly detail: string;
  /** The request, as the server's log names it. */
  readonly instance?: string;
  /** The failure's stable name. */
  readonly code: string;
  /** What a caller may do about it. */
  readonly kind: string;
  /** Facts for programs. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What to do next. */
  readonly hint?: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Messages of the causes, nearest first. */
  readonly cause: readonly string[];
}

/** An error as a problem. What box did not throw on purpose is told to the log only. */
export function toProblem(error: unknown, requestId?: string): Problem {
  const report = toErrorReport(error);
  const isInternal = report.kind === "internal";
  return {
    type: `urn:box:error:${report.code}`,
    title: report.kind,
    status: transportStatuses[report.code] ?? httpStatusOf(error),
    detail: isInternal ? "the server failed inside; its log has the reason" : report.message,
    ...(requestId === undefined ? {} : { instance: `urn:box:request:${requestId}` }),
    code: report.code,
    kind: report.kind,
    details: report.details,
    ...(report.hint === undefined ? {} : { hint: report.hint }),
    retryable: report.retryable,
    cause: isInternal ? [] : report.cause,
  };
}

/** Answers a request with an error. Takes Fastify's own errors, too. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const problem = toProblem(fromFastify(error), request.id);
  if (problem.kind === "internal") request.log.error({ err: error }, "request failed inside");
  if (problem.code === "SERVER_UNAUTHORIZED") reply.header("www-authenticate", "Bearer");
  reply.code(problem.status).type(problemType).send(JSON.stringify(problem));
}

/** What Fastify's codes are in ours. */
const fastifyCodes: Readonly<Partial<Record<string, ServerErrorCode>>> = {
  FST_ERR_VALIDATION: "SERVER_INVALID_REQUEST",
  FST_ERR_CTP_INVALID_JSON_BODY: "SERVER_MALFORMED_JSON",
  FST_ERR_CTP_EMPTY_JSON_BODY: "SERVER_MALFORMED_JSON",
  FST_ERR_CTP_BODY_TOO_LARGE: "SERVER_BODY_TOO_LARGE",
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "SERVER_UNSUPPORTED_MEDIA_TYPE",
};

const hints: Readonly<Partial<Record<ServerErrorCode, string>>> = {
  SERVER_INVALID_REQUEST: "GET /openapi.json has the schema of every request",
  SERVER_MALFORMED_JSON: "send one JSON object in UTF-8",
  SERVER_UNSUPPORTED_MEDIA_TYPE: "send content-type: application/json",
};

function fromFastify(error: unknown): unknown {
  if (isBoxError(error) || !(error instanceof Error)) return error;
  const { code, statusCode, validation, validationContext } = error as FastifyError;
  const isClientError = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  const known = fastifyCodes[code];
  if (known === undefined && !isClientError) return error;
  const mapped =
    known ?? (error instanceof SyntaxError ? "SERVER_MALFORMED_JSON" : "SERVER_BAD_REQUEST");
  const issues = validation?.map(({ instancePath, message }) => ({ path: instancePath, message }));
  const hint = hints[mapped];
  return new ServerError({
    code: mapped,
    message: issues === undefined ? error.message : describeIssues(validationContext, issues),
    ...(issues === undefined ? {} : { details: { in: validationContext, issues } }),
    ...(hint === undefined ? {} : { hint }),
  });
}

function describeIssues(
  context: string | undefined,
  issues: readonly { path: string; message: string | undefined }[],
): string {
  const [first] = issues;
  const where = `${context ?? "request"}${first?.path ?? ""}`;
  return `the request does not fit: ${where}: ${first?.message ?? "invalid"}`;
}
