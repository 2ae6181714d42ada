import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";

/** Parsed JSON, as a test expects it. */
// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by using it
export type Json = any;

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: Json;
}

/** What a test sends. */
export interface RequestOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly rawBody?: string;
}

/** Opens a request to a server by its URL, `unix:///PATH` or `http://HOST:PORT`, and waits for the headers. */
export function open(
  url: string,
  path: string,
  options: RequestOptions = {},
): Promise<IncomingMessage> {
  const { method = "GET", body, rawBody } = options;
  const text = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
  const headers = {
    ...(text === undefined ? {} : { "content-type": "application/json" }),
    ...options.headers,
  };
  const target = url.startsWith("unix://")
    ? { socketPath: url.slice("unix://".length) }
    : { host: new URL(url).hostname.replace(/^\[|\]$/g, ""), port: new URL(url).port };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...target, path, method, headers, agent: false }, resolve);
    request.on("error", reject);
    request.end(text);
  });
}

/** Sends a request and reads the whole answer. */
export async function send(url: string, path: string, options?: RequestOptions): Promise<Answer> {
  const message = await open(url, path, options);
  const text = await readText(message);
  const isJson =
    /json/.test(message.headers["content-type"] ?? "") &&
    !/ndjson/.test(message.headers["content-type"] ?? "");
  return {
    status: message.statusCode ?? 0,
    headers: message.headers,
    text,
    json: isJson ? JSON.parse(text) : undefined,
  };
}

/** Reads a stream to its end. */
export async function readText(message: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of message.setEncoding("utf8")) text += chunk;
  return text;
}

/** Reads until the text satisfies a test, then leaves the connection. */
export async function readUntil(
  message: IncomingMessage,
  isEnough: (text: string) => boolean,
): Promise<string> {
  let text = "";
  for await (const chunk of message.setEncoding("utf8")) {
    text += chunk;
    if (isEnough(text)) break;
  }
  return text;
}

/** The frames of a stream of server-sent events. */
export function framesOf(text: string): { id: number; event: string; data: Json }[] {
  return text
    .split("\n\n")
    .filter((frame) => frame !== "")
    .map((frame) => {
      const fields: Json = Object.fromEntries(
        frame.split("\n").map((line) => {
          const colon = line.indexOf(": ");
          return [line.slice(0, colon), line.slice(colon + 2)];
        }),
      );
      return {
        id: Number(fields.id),
        event: fields.event ?? "",
        data: JSON.parse(fields.data ?? ""),
      };
    });
}
