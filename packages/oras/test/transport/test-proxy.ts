import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A proxy on loopback; it ends with the test. */
export interface TestProxy {
  readonly url: string;
  readonly host: string;
  /** `METHOD target authorization` of each request. */
  readonly seen: string[];
}

/** A proxy that leads every host to one port of this machine. */
export async function proxyTo(
  port: number,
  isOpen: (authorization: string) => boolean = () => true,
): Promise<TestProxy> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const note = (method = "", url = "", authorization = ""): boolean => {
    seen.push(`${method} ${url} ${authorization}`.trim());
    return isOpen(authorization);
  };
  const server = createServer(async (request, response) => {
    if (!note(request.method, request.url, request.headers["proxy-authorization"])) {
      response.writeHead(407).end();
      return;
    }
    const { pathname } = new URL(request.url ?? "");
    const reply = await fetch(`http://127.0.0.1:${port}${pathname}`);
    response.writeHead(reply.status).end(Buffer.from(await reply.arrayBuffer()));
  });
  server.on("connect", (request, client: Socket) => {
    sockets.add(client);
    if (!note(request.method, request.url, request.headers["proxy-authorization"])) {
      client.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const upstream = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      client.pipe(upstream).pipe(client);
    });
    for (const socket of [client, upstream]) socket.on("error", () => socket.destroy());
    sockets.add(upstream);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `http://${host}`, host, seen };
}
