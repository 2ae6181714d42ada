import { digestOf } from "@box/oras";
import { type Exchange, type Injection, type Reply, send } from "./faulty-registry.ts";

/** The right reply. */
export const relay: Injection = (exchange) => send(exchange, exchange.real);

/** The connection ends, in an orderly way, before anything was said. */
export const drop: Injection = ({ request }) => request.socket.end();

/** The connection ends within the header. */
export const dropInHeader: Injection = ({ request }) => request.socket.end("HTTP/1.1 200 O");

/** The connection is reset before anything was said. */
export const reset: Injection = ({ request }) => request.socket.resetAndDestroy();

/** Nothing is ever said. */
export const stall: Injection = () => {};

/** The header says the right length, and after some bytes of the body something happens to the connection. */
export function breakAfter(
  bytes: number,
  how: (exchange: Exchange) => unknown = ({ request }) => request.socket.destroy(),
): Injection {
  return (exchange) => {
    const { response, real } = exchange;
    const kept = Math.min(bytes, Math.floor(real.body.byteLength / 2));
    response.writeHead(real.status, { ...real.headers, "content-length": real.body.byteLength });
    response.write(real.body.subarray(0, kept), () => how(exchange));
  };
}

/** A part of the body as if it were all of it, with the length of that part or with none. */
export function cut(bytes: number, hasLength: boolean): Injection {
  return altered(({ body }) => body.subarray(0, Math.min(bytes, body.byteLength / 2)), hasLength);
}

/** More bytes than there are. */
export function lengthened(hasLength: boolean): Injection {
  return altered(({ body }) => Buffer.concat([body, Buffer.from("and more")]), hasLength);
}

/** One bit is wrong: that of the given byte, counted from the end when it is negative. */
export function corrupted(at = 0): Injection {
  return altered(({ body }) => {
    const wrong = Buffer.from(body);
    const index = at < 0 ? wrong.byteLength + at : at;
    wrong[index] = (wrong[index] ?? 0) ^ 1;
    return wrong;
  });
}

/** The right reply with another body. */
function altered(change: (real: Reply) => Buffer, hasLength = true): Injection {
  return (exchange) => {
    const { real } = exchange;
    const { "content-length": _length, ...headers } = real.headers;
    const body = change(real);
    const length = hasLength ? { "content-length": String(body.byteLength) } : {};
    send(exchange, { ...real, headers: { ...headers, ...length }, body });
  };
}

/** The right reply with other headers. */
export function withHeaders(headers: Readonly<Record<string, string>>): Injection {
  return (exchange) => {
    const { real } = exchange;
    send(exchange, { ...real, headers: { ...real.headers, ...headers } });
  };
}

/** The right body under headers that node:http would not send: they are written as they are. */
export function rawHeaders(...lines: readonly string[]): Injection {
  return ({ request, real }) => {
    const { "content-length": _length, ...headers } = real.headers;
    const others = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    request.socket.write(
      `HTTP/1.1 ${real.status} OK\r\n${[...others, ...lines].join("\r\n")}\r\n\r\n`,
    );
    request.socket.end(real.body);
  };
}

/** A status with an error's body. */
export function status(code: number, headers: Record<string, string> = {}): Injection {
  const body = Buffer.from('{"errors":[{"code":"UNKNOWN","message":"a fault of the test"}]}');
  return (exchange) => send(exchange, { status: code, headers, body });
}

/** A document as a registry would serve it. */
export function document(bytes: Uint8Array, headers: Record<string, string> = {}): Injection {
  return (exchange) =>
    send(exchange, {
      status: 200,
      headers: { "docker-content-digest": digestOf(bytes), ...headers },
      body: Buffer.from(bytes),
    });
}

/** Leads elsewhere. */
export function redirect(to: (exchange: Exchange) => string, code = 307): Injection {
  return (exchange) => {
    const headers = { location: to(exchange) };
    send(exchange, { status: code, headers, body: Buffer.alloc(0) });
  };
}

/** A body without end. */
export function endless(code = 200, headers: Record<string, string> = {}): Injection {
  return ({ response }) => {
    response.writeHead(code, headers);
    const piece = Buffer.alloc(65_536, 0x20);
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.on("drain", more);
    more();
  };
}

/** A header without end. */
export const endlessHeader: Injection = ({ request: { socket } }) => {
  socket.on("error", () => {});
  socket.write("HTTP/1.1 200 OK\r\n");
  const more = (): void => {
    while (!socket.destroyed && socket.write(`x-more: ${"x".repeat(8000)}\r\n`));
  };
  socket.on("drain", more);
  more();
};

/** An informational reply every twenty seconds, by the client's clock, and never a final one. */
export const onlyInformational: Injection = ({ request: { socket }, pacing }) => {
  const next = (): void => {
    pacing.nowMs += 20_000;
    if (socket.destroyed) return;
    socket.write("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", () => setTimeout(next, 5));
  };
  socket.on("error", () => {});
  next();
};

/** A byte every twenty seconds, by the client's clock, which is fast enough for it to be back from its disk. */
export const drip: Injection = ({ response, real, pacing }) => {
  response.writeHead(real.status, real.headers);
  let at = 0;
  const next = (): void => {
    pacing.nowMs += 20_000;
    const byte = real.body.subarray(at, ++at);
    if (!response.destroyed && byte.byteLength > 0) response.write(byte, () => setTimeout(next, 5));
  };
  next();
};
