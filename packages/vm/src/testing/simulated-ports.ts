import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { VmError } from "../errors.ts";
import {
  checkPortForward,
  loopbackAddress,
  type OpenPortForward,
  type PortForward,
} from "../ports.ts";
import type { GuestStream } from "../streams.ts";

/** Ports of the host whose connections go to a simulated guest. */
export class SimulatedPorts {
  readonly #connect: (port: number) => GuestStream;
  readonly #servers: Server[] = [];
  readonly #open: OpenPortForward[] = [];

  constructor(connect: (port: number) => GuestStream) {
    this.#connect = connect;
  }

  /** Listens on more. @returns All that are listened on. */
  async add(forwards: readonly PortForward[]): Promise<readonly OpenPortForward[]> {
    for (const forward of forwards) checkPortForward(forward);
    const begun: { readonly server: Server; readonly open: OpenPortForward }[] = [];
    try {
      for (const forward of forwards) begun.push(await this.#listen(forward));
    } catch (error) {
      for (const { server } of begun) server.close();
      throw error;
    }
    this.#servers.push(...begun.map(({ server }) => server));
    this.#open.push(...begun.map(({ open }) => open));
    return [...this.#open];
  }

  /** Listens on nothing any more. */
  close(): void {
    for (const server of this.#servers.splice(0)) server.close();
  }

  async #listen({ hostAddress = loopbackAddress, hostPort, guestPort }: PortForward) {
    const server = createServer({ allowHalfOpen: true }, async (socket) => {
      socket.on("error", () => {});
      try {
        const stream = this.#connect(guestPort);
        socket.on("data", (chunk: Uint8Array) => void stream.stdin.write(chunk).catch(() => {}));
        socket.on("end", () => void stream.stdin.end());
        for await (const chunk of stream.stdout) socket.write(chunk);
        socket.end();
      } catch {
        socket.resetAndDestroy();
      }
    });
    server.unref();
    try {
      server.listen(hostPort, hostAddress);
      await once(server, "listening");
    } catch (error) {
      throw new VmError({
        code: "VM_PORT_IN_USE",
        message: `cannot listen on port ${hostPort} of ${hostAddress}`,
        details: { hostAddress, hostPort },
        cause: error,
      });
    }
    const { port } = server.address() as { readonly port: number };
    return { server, open: { hostAddress, hostPort: port, guestPort } };
  }
}
