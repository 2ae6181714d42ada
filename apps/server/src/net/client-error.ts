import { type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { ServerError, type ServerErrorCode } from "../errors.ts";
import { problemType, toProblem } from "../problem.ts";

/** Takes what Node's HTTP parser refuses, before there is a request. */
export type ClientErrorHandler = (error: NodeJS.ErrnoException, socket: Socket) => void;

interface Refusal {
  readonly code: ServerErrorCode;
  readonly message: string;
  readonly hint: string;
}

const malformed: Refusal = {
  code: "SERVER_BAD_REQUEST",
  message: "the request is not HTTP/1.1",
  hint: "speak plain HTTP/1.1 on this address, without TLS",
};

const refusals: ReadonlyMap<string | undefined, Refusal> = new Map([
  [
    "HPE_HEADER_OVERFLOW",
    {
      code: "SERVER_HEADER_TOO_LARGE",
      message: "the header of the request is larger than the server reads",
      hint: "send fewer and shorter header fields, and a shorter path",
    },
  ],
  [
    "HPE_CHUNK_EXTENSIONS_OVERFLOW",
    {
      code: "SERVER_BODY_TOO_LARGE",
      message: "the chunk extensions of the body are larger than the server reads",
      hint: "send the body without chunk extensions",
    },
  ],
  [
    "ERR_HTTP_REQUEST_TIMEOUT",
    {
      code: "SERVER_REQUEST_TIMEOUT",
      message: "the request did not arrive in time",
      hint: "send the whole request at once",
    },
  ],
]);

/** Answers with a problem on the bare connection, and closes it. A connection in the middle of an answer just ends. */
export function answerClientErrors(): {
  /** To be told of the server's answers. */
  readonly watch: (server: Server) => void;
  /** To be Fastify's handler. */
  readonly handle: ClientErrorHandler;
} {
  const answers = new WeakMap<Socket, ServerResponse>();
  return {
    watch: (server) => {
      server.prependListener("request", ({ socket }, answer) => answers.set(socket, answer));
    },
    handle: (error, socket) => {
      const answer = answers.get(socket);
      const isAnswering = answer?.headersSent === true && !answer.writableFinished;
      if (error.code === "ECONNRESET" || !socket.writable || isAnswering) socket.destroy(error);
      else {
        socket.write(answerOf(error));
        socket.destroySoon();
      }
    },
  };
}

function answerOf(error: NodeJS.ErrnoException): string {
  const refusal = refusals.get(error.code) ?? malformed;
  const problem = toProblem(new ServerError(refusal));
  const body = JSON.stringify(problem);
  return [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
    "",
    body,
  ].join("\r\n");
}
