import type { CodePages } from "./page.ts";

/** Codes of `@box/server`. */
export const serverPages: CodePages = {
  SERVER_BAD_REQUEST: {
    meaning: "The request breaks the rules of HTTP or of this server.",
    advice: "GET /openapi.json describes every request.",
  },
  SERVER_MALFORMED_JSON: {
    meaning: "The body of the request is not one JSON object.",
    advice: "Send JSON in UTF-8.",
  },
  SERVER_INVALID_REQUEST: {
    meaning: "The request has a value that does not fit its schema.",
    advice: "The details list the places; GET /openapi.json has the schemas.",
  },
  SERVER_ROUTE_NOT_FOUND: {
    meaning: "There is nothing at this path.",
    advice: "GET /openapi.json lists what there is.",
  },
  SERVER_METHOD_NOT_ALLOWED: {
    meaning: "The path is right, and does not have this method.",
    advice: "The header Allow of the answer lists the methods that it has.",
  },
  SERVER_BODY_TOO_LARGE: {
    meaning: "The body of the request is larger than the server reads.",
    advice: "Send a smaller body.",
  },
  SERVER_HEADER_TOO_LARGE: {
    meaning: "The header of the request is larger than the server reads.",
    advice: "Send fewer and shorter header fields, and a shorter path.",
  },
  SERVER_REQUEST_TIMEOUT: {
    meaning: "The request did not arrive in time.",
    advice: "Send the whole request at once.",
  },
  SERVER_UNSUPPORTED_MEDIA_TYPE: {
    meaning: "The body of the request is of a type that the server does not read.",
    advice: "Send content-type: application/json.",
  },
  SERVER_HOST_REFUSED: {
    meaning:
      "The request names another host than this server: a web page may have sent it by DNS rebinding.",
    advice: "Connect by localhost or by the address that the server listens on.",
  },
  SERVER_ORIGIN_REFUSED: {
    meaning: "A web page of another site sent the request.",
    advice: "Use the server from its own pages or from programs.",
  },
  SERVER_UNAUTHORIZED: {
    meaning: "The server wants its API key, and the request has none or another one.",
    advice: "Send the header Authorization: Bearer KEY.",
  },
  SERVER_IDEMPOTENCY_MISMATCH: {
    meaning: "The request has an Idempotency-Key that was used for another request.",
    advice: "Use a new key for a new request.",
  },
  SERVER_OPERATION_NOT_FOUND: {
    meaning: "There is no operation with this id; old ones are forgotten.",
    advice: "GET /v1/operations lists those that are remembered.",
  },
  SERVER_OPERATION_NOT_RUNNING: {
    meaning:
      "The operation has ended, or another process carries it out: this server cannot cancel it.",
    advice: "GET /v1/operations/ID tells how it ended. End another process where it was started.",
  },
  SERVER_STOPPING: {
    meaning: "The server is stopping and takes no new work.",
    advice: "Send the request again when it is back.",
  },
  SERVER_ADDRESS_INVALID: {
    meaning: "The server cannot listen on this address.",
    advice: "Write unix:///PATH or tcp://HOST:PORT; a socket path may have 103 bytes.",
  },
  SERVER_ADDRESS_IN_USE: {
    meaning: "Another server listens on this address.",
    advice: "Use that one, end it, or choose another address with --listen.",
  },
  SERVER_KEY_REQUIRED: {
    meaning: "Others can reach the address, and there is no API key that is long enough.",
    advice: "Put a key into a file and pass it with --api-key-file, or listen on 127.0.0.1.",
  },
  SERVER_SOCKET_REFUSED: {
    meaning:
      "The place for the socket is not safe: something else is there, or others may change its folder.",
    advice: "Choose another path with --listen unix:///PATH.",
  },
};
