import { BoxError, type BoxErrorOptions, type ErrorKind } from "@box/errors";

/** Why the server refused a request or could not start. */
export type ServerErrorCode =
  | "SERVER_BAD_REQUEST" // usage
  | "SERVER_MALFORMED_JSON" // usage
  | "SERVER_INVALID_REQUEST" // invalid-argument
  | "SERVER_ROUTE_NOT_FOUND" // not-found
  | "SERVER_METHOD_NOT_ALLOWED" // unsupported
  | "SERVER_BODY_TOO_LARGE" // limit
  | "SERVER_HEADER_TOO_LARGE" // limit
  | "SERVER_REQUEST_TIMEOUT" // timeout
  | "SERVER_UNSUPPORTED_MEDIA_TYPE" // unsupported
  | "SERVER_HOST_REFUSED" // denied
  | "SERVER_ORIGIN_REFUSED" // denied
  | "SERVER_UNAUTHORIZED" // auth
  | "SERVER_IDEMPOTENCY_MISMATCH" // denied
  | "SERVER_OPERATION_NOT_FOUND" // not-found
  | "SERVER_OPERATION_NOT_RUNNING" // conflict
  | "SERVER_STOPPING" // interrupted
  | "SERVER_ADDRESS_INVALID" // invalid-argument
  | "SERVER_ADDRESS_IN_USE" // in-use
  | "SERVER_KEY_REQUIRED" // denied
  | "SERVER_SOCKET_REFUSED"; // denied

/** The kind of each code. */
export const serverErrorKinds: Readonly<Record<ServerErrorCode, ErrorKind>> = {
  SERVER_BAD_REQUEST: "usage",
  SERVER_MALFORMED_JSON: "usage",
  SERVER_INVALID_REQUEST: "invalid-argument",
  SERVER_ROUTE_NOT_FOUND: "not-found",
  SERVER_METHOD_NOT_ALLOWED: "unsupported",
  SERVER_BODY_TOO_LARGE: "limit",
  SERVER_HEADER_TOO_LARGE: "limit",
  SERVER_REQUEST_TIMEOUT: "timeout",
  SERVER_UNSUPPORTED_MEDIA_TYPE: "unsupported",
  SERVER_HOST_REFUSED: "denied",
  SERVER_ORIGIN_REFUSED: "denied",
  SERVER_UNAUTHORIZED: "auth",
  SERVER_IDEMPOTENCY_MISMATCH: "denied",
  SERVER_OPERATION_NOT_FOUND: "not-found",
  SERVER_OPERATION_NOT_RUNNING: "conflict",
  SERVER_STOPPING: "interrupted",
  SERVER_ADDRESS_INVALID: "invalid-argument",
  SERVER_ADDRESS_IN_USE: "in-use",
  SERVER_KEY_REQUIRED: "denied",
  SERVER_SOCKET_REFUSED: "denied",
};

/** Statuses where HTTP itself has a better one than the table of kinds. */
export const transportStatuses: Readonly<Partial<Record<string, number>>> = {
  SERVER_METHOD_NOT_ALLOWED: 405,
  SERVER_BODY_TOO_LARGE: 413,
  SERVER_HEADER_TOO_LARGE: 431,
  SERVER_REQUEST_TIMEOUT: 408,
  SERVER_UNSUPPORTED_MEDIA_TYPE: 415,
  SERVER_HOST_REFUSED: 403,
  SERVER_ORIGIN_REFUSED: 403,
  SERVER_STOPPING: 503,
};

/** A request that the server does not carry out, or an address that it does not listen on. */
export class ServerError extends BoxError<ServerErrorCode> {
  constructor(options: Omit<BoxErrorOptions<ServerErrorCode>, "kind">) {
    super({ ...options, kind: serverErrorKinds[options.code] });
  }
}
