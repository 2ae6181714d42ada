import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** What a scripted server was asked. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface ScriptedServer {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly origin: string;
  readonly seen: SeenRequest[];
}

/** A server on loopback whose every reply the test writes; it ends with the test. */
export async function scriptedServer(
  reply: (request: IncomingMessage, response: ServerResponse, count: number) => unknown,
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    const { method = "", url: path = "", headers } = request;
    seen.push({ method, path, headers });
    void reply(request, response, seen.length);
  });
  const host = `127.0.0.1:${await listen(server)}`;
  return { host, origin: `http://${host}`, seen };
}

/** Lets a server listen on a free port of loopback until the test ends; gives the port. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(
    () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  );
  return (server.address() as AddressInfo).port;
}
